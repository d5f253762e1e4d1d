package flowschema

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"coracle/storage/cache"
)

// Objects are what the keeper looks at.
type Objects interface {
	Levels
	// Subscribe calls f for everything of a resource that there is, and for every later change.
	Subscribe(gr schema.GroupResource, f func(*cache.Event))
	// Under lists what is kept of a resource.
	Under(ctx context.Context, gr schema.GroupResource) ([]*cache.Entry, error)
}

// Keeper writes the condition again when a level comes or goes, or when somebody else has written it. It writes through the API,
// under the server's own name.
type Keeper struct {
	Objects Objects
	Client  rest.Interface
	Now     func() time.Time
	Log     *slog.Logger
}

// calm is how long the keeper waits between two rounds, however often others write.
const calm = time.Second

// Run works until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	changed := make(chan struct{}, 1)
	for _, resource := range []string{"prioritylevelconfigurations", "flowschemas"} {
		k.Objects.Subscribe(flowcontrolv1.Resource(resource), func(*cache.Event) {
			select {
			case changed <- struct{}{}:
			default:
			}
		})
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			k.round(ctx)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(calm):
		}
	}
}

// round looks at all FlowSchemas once.
func (k *Keeper) round(ctx context.Context) {
	entries, err := k.Objects.Under(ctx, flowcontrolv1.Resource("flowschemas"))
	if err != nil {
		k.Log.Warn("FlowSchemas could not be looked at", "error", err)
	}
	for _, e := range entries {
		obj, err := e.Object()
		f, ok := obj.(*flowcontrolv1.FlowSchema)
		if err != nil || !ok || f.DeletionTimestamp != nil {
			continue
		}
		want := dangling(f, k.Objects, k.Now())
		if i := place(f.Status.Conditions); i >= 0 && says(f.Status.Conditions[i], want) {
			continue
		}
		if err := k.write(ctx, f.Name, want); err != nil && !apierrors.IsNotFound(err) && ctx.Err() == nil {
			k.Log.Warn("the condition of a FlowSchema could not be written", "flowschema", f.Name, "error", err)
		}
	}
}

func (k *Keeper) write(ctx context.Context, name string, want flowcontrolv1.FlowSchemaCondition) error {
	body, err := json.Marshal(map[string]any{
		"apiVersion": flowcontrolv1.SchemeGroupVersion.String(), "kind": "FlowSchema", "metadata": map[string]any{"name": name},
		"status": map[string]any{"conditions": []flowcontrolv1.FlowSchemaCondition{want}},
	})
	if err != nil {
		return err
	}
	return k.Client.Patch(types.ApplyYAMLPatchType).AbsPath("/apis/"+flowcontrolv1.SchemeGroupVersion.String()+"/flowschemas", name, "status").
		Param("fieldManager", manager).Param("force", "true").Body(body).Do(ctx).Error()
}
