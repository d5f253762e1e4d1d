package protection

import (
	"context"
	"log/slog"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"coracle/controllers/loop"
)

// Volumes keeps the volumes that are bound to a claim.
type Volumes struct {
	protector[*v1.PersistentVolume]
}

// NewVolumes makes a controller. Call it before the factory starts.
func NewVolumes(client kubernetes.Interface, factory informers.SharedInformerFactory, log *slog.Logger) *Volumes {
	volumes := factory.Core().V1().PersistentVolumes()
	c := &Volumes{}
	c.finalizer = "kubernetes.io/pv-protection"
	c.get = func(n cache.ObjectName) (*v1.PersistentVolume, error) { return volumes.Lister().Get(n.Name) }
	c.used = func(_ context.Context, volume *v1.PersistentVolume) (bool, error) {
		return volume.Status.Phase == v1.VolumeBound, nil
	}
	c.update = func(ctx context.Context, volume *v1.PersistentVolume) error {
		_, err := client.CoreV1().PersistentVolumes().Update(ctx, volume, metav1.UpdateOptions{})
		return err
	}
	c.loop = loop.New("persistentvolume-protection", log, c.reconcile)
	loop.Watch(c.loop, volumes.Informer(), func(_, volume *v1.PersistentVolume) {
		if volume != nil {
			c.changed(volume)
		}
	})
	return c
}
