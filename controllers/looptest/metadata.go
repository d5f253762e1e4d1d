package looptest

import (
	"context"
	"encoding/json"
	"fmt"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/meta/testrestmapper"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/metadata"
)

// Mapper knows the kinds of client-go's clientset.
func (w *World) Mapper() meta.RESTMapper {
	return testrestmapper.TestOnlyStaticRESTMapper(scheme.Scheme)
}

// Metadata sees the same objects as Client, as metadata alone.
func (w *World) Metadata() metadata.Interface {
	return &metadataClient{tracker: w.tracker, mapper: w.Mapper()}
}

type metadataClient struct {
	tracker *tracker
	mapper  meta.RESTMapper
}

func (c *metadataClient) Resource(gvr schema.GroupVersionResource) metadata.Getter {
	return &metadataResource{metadataClient: c, gvr: gvr}
}

// metadataResource is one resource, in one namespace or in all.
type metadataResource struct {
	*metadataClient
	gvr       schema.GroupVersionResource
	namespace string
}

func (r *metadataResource) Namespace(namespace string) metadata.ResourceInterface {
	return &metadataResource{metadataClient: r.metadataClient, gvr: r.gvr, namespace: namespace}
}

// IsWatchListSemanticsUnSupported makes informers list first.
func (c *metadataClient) IsWatchListSemanticsUnSupported() bool { return true }

func (r *metadataResource) Get(_ context.Context, name string, _ metav1.GetOptions, _ ...string) (*metav1.PartialObjectMetadata, error) {
	obj, err := r.tracker.Get(r.gvr, r.namespace, name)
	if err != nil {
		return nil, err
	}
	return r.partial(obj)
}

func (r *metadataResource) List(_ context.Context, opts metav1.ListOptions) (*metav1.PartialObjectMetadataList, error) {
	gvk, err := r.mapper.KindFor(r.gvr)
	if err != nil {
		return nil, err
	}
	list, err := r.tracker.List(r.gvr, gvk, r.namespace)
	if err != nil {
		return nil, err
	}
	items, err := meta.ExtractList(list)
	if err != nil {
		return nil, err
	}
	selector, err := labels.Parse(opts.LabelSelector)
	if err != nil {
		return nil, err
	}
	result := &metav1.PartialObjectMetadataList{}
	if m, err := meta.ListAccessor(list); err == nil {
		result.ResourceVersion = m.GetResourceVersion()
	}
	for _, item := range items {
		partial, err := r.partial(item)
		if err != nil {
			return nil, err
		}
		if selector.Matches(labels.Set(partial.Labels)) {
			result.Items = append(result.Items, *partial)
		}
	}
	return result, nil
}

func (r *metadataResource) Watch(_ context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	watcher, err := r.tracker.Watch(r.gvr, r.namespace, opts)
	if err != nil {
		return nil, err
	}
	return watch.Filter(watcher, func(event watch.Event) (watch.Event, bool) {
		partial, err := r.partial(event.Object)
		if err != nil {
			return event, false
		}
		event.Object = partial
		return event, true
	}), nil
}

func (r *metadataResource) Delete(_ context.Context, name string, opts metav1.DeleteOptions, _ ...string) error {
	return r.tracker.Delete(r.gvr, r.namespace, name, opts)
}

func (r *metadataResource) DeleteCollection(ctx context.Context, opts metav1.DeleteOptions, listOpts metav1.ListOptions) error {
	list, err := r.List(ctx, listOpts)
	if err != nil {
		return err
	}
	for _, item := range list.Items {
		if err := r.tracker.Delete(r.gvr, item.Namespace, item.Name, opts); err != nil {
			return err
		}
	}
	return nil
}

func (r *metadataResource) Patch(_ context.Context, name string, kind types.PatchType, data []byte, _ metav1.PatchOptions, _ ...string) (*metav1.PartialObjectMetadata, error) {
	obj, err := r.tracker.Get(r.gvr, r.namespace, name)
	if err != nil {
		return nil, err
	}
	old, err := json.Marshal(obj)
	if err != nil {
		return nil, err
	}
	var changed []byte
	switch kind {
	case types.MergePatchType:
		changed, err = jsonpatch.MergePatch(old, data)
	case types.JSONPatchType:
		var patch jsonpatch.Patch
		if patch, err = jsonpatch.DecodePatch(data); err == nil {
			changed, err = patch.Apply(old)
		}
	default:
		err = fmt.Errorf("patch type %s is not supported", kind)
	}
	if err != nil {
		return nil, err
	}
	gvk, err := r.mapper.KindFor(r.gvr)
	if err != nil {
		return nil, err
	}
	next, err := scheme.Scheme.New(gvk)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(changed, next); err != nil {
		return nil, err
	}
	if err := r.tracker.Patch(r.gvr, next, r.namespace); err != nil {
		return nil, err
	}
	return r.partial(next)
}

func (r *metadataResource) partial(obj runtime.Object) (*metav1.PartialObjectMetadata, error) {
	m, err := meta.Accessor(obj)
	if err != nil {
		return nil, err
	}
	gvk, err := r.mapper.KindFor(r.gvr)
	if err != nil {
		return nil, err
	}
	partial := meta.AsPartialObjectMetadata(m)
	partial.SetGroupVersionKind(gvk)
	return partial.DeepCopy(), nil
}
