package protection

import (
	"context"
	"encoding/json"
	"log/slog"

	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"

	"coracle/controllers/loop"
)

const volumesPath = "/api/v1/persistentvolumes"

// Volumes keeps the volumes that are bound to a claim.
type Volumes struct {
	*protector
	informer cache.SharedIndexInformer
}

// NewVolumes makes a controller.
func NewVolumes(content metadata.Interface, server Server, log *slog.Logger) *Volumes {
	c := &Volumes{protector: newProtector("persistentvolume-protection", "kubernetes.io/pv-protection", server, log)}
	c.path = func(n cache.ObjectName) string { return volumesPath + "/" + n.Name }
	c.used = func(_ context.Context, _ cache.ObjectName, body []byte) (bool, error) {
		var volume struct {
			Status struct{ Phase v1.PersistentVolumePhase }
		}
		err := json.Unmarshal(body, &volume)
		return volume.Status.Phase == v1.VolumeBound, err
	}
	c.informer = c.watchMetadata(content, v1.SchemeGroupVersion.WithResource("persistentvolumes"))
	return c
}

// Run runs the controller until ctx ends.
func (c *Volumes) Run(ctx context.Context) error {
	return loop.RunAll(ctx, func(ctx context.Context) error { c.informer.RunWithContext(ctx); return nil },
		func(ctx context.Context) error { return c.loop.Run(ctx, 1) })
}
