package protection

import (
	"context"
	"log/slog"
	"slices"

	v1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"coracle/controllers/loop"
)

// Classes keeps the VolumeAttributesClasses that volumes and claims name.
type Classes struct {
	protector[*storagev1.VolumeAttributesClass]
	volumes corelisters.PersistentVolumeLister
	claims  corelisters.PersistentVolumeClaimLister
}

// NewClasses makes a controller. Call it before the factory starts.
func NewClasses(client kubernetes.Interface, factory informers.SharedInformerFactory, log *slog.Logger) *Classes {
	classes, core := factory.Storage().V1().VolumeAttributesClasses(), factory.Core().V1()
	c := &Classes{volumes: core.PersistentVolumes().Lister(), claims: core.PersistentVolumeClaims().Lister()}
	c.finalizer = "kubernetes.io/vac-protection"
	c.get = func(n cache.ObjectName) (*storagev1.VolumeAttributesClass, error) {
		return classes.Lister().Get(n.Name)
	}
	c.used = c.named
	c.update = func(ctx context.Context, class *storagev1.VolumeAttributesClass) error {
		_, err := client.StorageV1().VolumeAttributesClasses().Update(ctx, class, metav1.UpdateOptions{})
		return err
	}
	c.loop = loop.New("volumeattributesclass-protection", log, c.reconcile)
	loop.Watch(c.loop, classes.Informer(), func(_, class *storagev1.VolumeAttributesClass) {
		if class != nil {
			c.changed(class)
		}
	})
	loop.Watch(c.loop, core.PersistentVolumes().Informer(), func(old, volume *v1.PersistentVolume) {
		c.released(ofVolume(old), ofVolume(volume))
	})
	loop.Watch(c.loop, core.PersistentVolumeClaims().Informer(), func(old, claim *v1.PersistentVolumeClaim) {
		c.released(ofClaim(old), ofClaim(claim))
	})
	return c
}

// released queues the classes that were named and are no longer.
func (c *Classes) released(before, after []string) {
	for _, name := range before {
		if !slices.Contains(after, name) {
			c.loop.Add(cache.NewObjectName("", name))
		}
	}
}

func (c *Classes) named(_ context.Context, class *storagev1.VolumeAttributesClass) (bool, error) {
	volumes, err := c.volumes.List(labels.Everything())
	if err != nil {
		return false, err
	}
	claims, err := c.claims.List(labels.Everything())
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(volumes, func(v *v1.PersistentVolume) bool { return slices.Contains(ofVolume(v), class.Name) }) ||
		slices.ContainsFunc(claims, func(p *v1.PersistentVolumeClaim) bool { return slices.Contains(ofClaim(p), class.Name) }), nil
}

// ofVolume are the classes that a volume names, none if it is nil.
func ofVolume(volume *v1.PersistentVolume) []string {
	if volume == nil || volume.Spec.VolumeAttributesClassName == nil {
		return nil
	}
	return []string{*volume.Spec.VolumeAttributesClassName}
}

// ofClaim are the classes that a claim names, has, or is on its way to, none if it is nil.
func ofClaim(claim *v1.PersistentVolumeClaim) []string {
	if claim == nil {
		return nil
	}
	var names []string
	for _, name := range []*string{claim.Spec.VolumeAttributesClassName, claim.Status.CurrentVolumeAttributesClassName} {
		if name != nil {
			names = append(names, *name)
		}
	}
	if s := claim.Status.ModifyVolumeStatus; s != nil {
		names = append(names, s.TargetVolumeAttributesClassName)
	}
	return names
}
