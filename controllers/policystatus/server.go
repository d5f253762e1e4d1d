package policystatus

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// Server reads and writes as JSON, by paths.
type Server interface {
	// Get returns what is at a path, or a Status error.
	Get(ctx context.Context, path string) ([]byte, error)
	// Apply makes the fields of an object as body has them, and takes them from whoever else owns them.
	Apply(ctx context.Context, path, manager string, body []byte) error
}

// Discovery tells which resources are served.
type Discovery interface {
	ServerGroupsAndResources() ([]*metav1.APIGroup, []*metav1.APIResourceList, error)
}

// REST is the Server that a client speaks to. A typed client of the kind would be large.
type REST struct{ Client rest.Interface }

// Get returns what is at a path.
func (r REST) Get(ctx context.Context, path string) ([]byte, error) {
	return r.Client.Get().AbsPath(path).SetHeader("Accept", "application/json").DoRaw(ctx)
}

// Apply applies by force.
func (r REST) Apply(ctx context.Context, path, manager string, body []byte) error {
	return r.Client.Patch(types.ApplyPatchType).AbsPath(path).Param("fieldManager", manager).Param("force", "true").Body(body).Do(ctx).Error()
}
