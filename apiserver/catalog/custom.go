package catalog

import (
	"sync"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// Custom is what a row has besides when a CustomResourceDefinition describes the kind: it has no Go type, and comes
// and goes while the server runs.
type Custom struct {
	// StorageVersion is the version in which objects are kept.
	StorageVersion string
	// Coerce brings an object that was just decoded into the schema's form, in place: unknown fields are dropped, and
	// their paths returned if the caller wants to report them.
	Coerce func(obj runtime.Object, report bool) (unknown []string, err error)
	// Schema is the OpenAPI schema of an object: for v2, which can say less than v3, if that is asked for.
	Schema func(v2 bool) *spec.Schema
	// Types is the schema by which objects are merged.
	Types func() (managedfields.TypeConverter, error)
	// Managers are the field managers of the kind and of its subresources.
	Managers func(subresource string) (*managedfields.FieldManager, error)
	// Scale tells where the numbers of the scale subresource are; nil where there is none.
	Scale *apiextensionsv1.CustomResourceSubresourceScale
	// Terminating: the definition is being deleted, and no object can be created any longer.
	Terminating bool
	// Deprecation is the warning that goes with every answer, "" for none.
	Deprecation string
	// Replaced is closed when the row is no longer the kind's: watches end then, and clients begin new ones.
	Replaced <-chan struct{}
	// Writing is held by everybody who writes an object of the kind, whichever row they found. Who locks it knows that
	// nobody still works with a row that has been replaced.
	Writing *sync.RWMutex
}

// Replaced is closed when a row is no longer served; nil, on which nobody waits in vain, for kinds that stay.
func (k *Kind) Replaced() <-chan struct{} {
	if k.Custom == nil {
		return nil
	}
	return k.Custom.Replaced
}
