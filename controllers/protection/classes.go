package protection

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"

	"coracle/controllers/loop"
)

// Classes keeps the VolumeAttributesClasses that volumes and claims name.
type Classes struct {
	*protector
	informer cache.SharedIndexInformer
}

// NewClasses makes a controller.
func NewClasses(content metadata.Interface, server Server, log *slog.Logger) *Classes {
	c := &Classes{protector: newProtector("volumeattributesclass-protection", "kubernetes.io/vac-protection", server, log)}
	c.path = func(n cache.ObjectName) string { return "/apis/storage.k8s.io/v1/volumeattributesclasses/" + n.Name }
	c.used = c.named
	c.informer = c.watchMetadata(content, schema.GroupVersionResource{
		Group: "storage.k8s.io", Version: "v1", Resource: "volumeattributesclasses"})
	return c
}

// Run runs the controller until ctx ends.
func (c *Classes) Run(ctx context.Context) error {
	return loop.RunAll(ctx, func(ctx context.Context) error { c.informer.RunWithContext(ctx); return nil },
		func(ctx context.Context) error { return c.loop.Run(ctx, 1) })
}

// named looks for whoever names a class. What is named is looked at again later: who stops naming it tells nobody here.
func (c *Classes) named(ctx context.Context, class cache.ObjectName, _ []byte) (bool, error) {
	for _, path := range []string{volumesPath, "/api/v1/persistentvolumeclaims"} {
		body, err := c.server.Get(ctx, path)
		if err != nil {
			return false, err
		}
		var list struct{ Items []user }
		if err := json.Unmarshal(body, &list); err != nil {
			return false, err
		}
		if slices.ContainsFunc(list.Items, func(u user) bool { return u.names(class.Name) }) {
			return true, loop.ErrAgain
		}
	}
	return false, nil
}

// user is of a volume or a claim what concerns classes: the one that it names, and those that it has or is on its way to.
type user struct {
	Spec   struct{ VolumeAttributesClassName string }
	Status struct {
		CurrentVolumeAttributesClassName string
		ModifyVolumeStatus               struct{ TargetVolumeAttributesClassName string }
	}
}

func (u *user) names(class string) bool {
	return u.Spec.VolumeAttributesClassName == class || u.Status.CurrentVolumeAttributesClassName == class ||
		u.Status.ModifyVolumeStatus.TargetVolumeAttributesClassName == class
}
