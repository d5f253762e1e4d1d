package loop

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"
)

// WatchMetadata is Watch for objects of which metadata is all that is kept, where a typed client of the kind would be large. It
// calls changed with every object that there is, and whenever one has changed. The informer is the caller's to run.
func WatchMetadata[K comparable](l *Loop[K], content metadata.Interface, gvr schema.GroupVersionResource, changed func(*metav1.PartialObjectMetadata)) cache.SharedIndexInformer {
	of := content.Resource(gvr)
	informer := cache.NewSharedIndexInformer(cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc:  func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return of.List(ctx, o) },
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) { return of.Watch(ctx, o) },
	}, content), &metav1.PartialObjectMetadata{}, 0, nil)
	Watch(l, informer, func(_, object *metav1.PartialObjectMetadata) {
		if object != nil {
			changed(object)
		}
	})
	return informer
}
