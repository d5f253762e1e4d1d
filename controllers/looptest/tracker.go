package looptest

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"sync"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	clienttesting "k8s.io/client-go/testing"
)

// tracker is client-go's object tracker with the manners of an API server.
type tracker struct {
	clienttesting.ObjectTracker

	mu       sync.Mutex // makes each write one step; guards revision and uid
	revision int
	uid      int
}

func newTracker() *tracker {
	return &tracker{ObjectTracker: clienttesting.NewObjectTracker(scheme.Scheme, scheme.Codecs.UniversalDecoder())}
}

// birth gives a new object what an API server gives it.
func (t *tracker) birth(obj runtime.Object) error {
	m, err := meta.Accessor(obj)
	if err != nil {
		return err
	}
	if m.GetName() == "" && m.GetGenerateName() != "" {
		m.SetName(m.GetGenerateName() + fmt.Sprintf("%05d", t.uid+1))
	}
	if m.GetUID() == "" {
		t.uid++
		m.SetUID(types.UID(fmt.Sprintf("uid-%d", t.uid)))
	}
	if created := m.GetCreationTimestamp(); created.IsZero() {
		m.SetCreationTimestamp(metav1.Now())
	}
	m.SetGeneration(max(m.GetGeneration(), 1))
	t.stamp(m)
	return nil
}

func (t *tracker) stamp(m metav1.Object) {
	t.revision++
	m.SetResourceVersion(strconv.Itoa(t.revision))
}

func (t *tracker) Add(obj runtime.Object) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.birth(obj); err != nil {
		return err
	}
	return t.ObjectTracker.Add(obj)
}

func (t *tracker) Create(gvr schema.GroupVersionResource, obj runtime.Object, ns string, opts ...metav1.CreateOptions) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.birth(obj); err != nil {
		return err
	}
	return t.ObjectTracker.Create(gvr, obj, ns, opts...)
}

func (t *tracker) Update(gvr schema.GroupVersionResource, obj runtime.Object, ns string, _ ...metav1.UpdateOptions) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.replace(gvr, obj, ns)
}

func (t *tracker) Patch(gvr schema.GroupVersionResource, obj runtime.Object, ns string, _ ...metav1.PatchOptions) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.replace(gvr, obj, ns)
}

// replace stores obj in place of what is there: if it is that object, in that version, and if anything differs.
func (t *tracker) replace(gvr schema.GroupVersionResource, obj runtime.Object, ns string) error {
	next, err := meta.Accessor(obj)
	if err != nil {
		return err
	}
	stored, err := t.Get(gvr, ns, next.GetName())
	if err != nil {
		return err
	}
	old, err := meta.Accessor(stored)
	if err != nil {
		return err
	}
	if (next.GetUID() != "" && next.GetUID() != old.GetUID()) ||
		(next.GetResourceVersion() != "" && next.GetResourceVersion() != old.GetResourceVersion()) {
		return apierrors.NewConflict(gvr.GroupResource(), next.GetName(), fmt.Errorf("the object has been modified"))
	}
	next.SetUID(old.GetUID())
	next.SetResourceVersion(old.GetResourceVersion())
	next.SetCreationTimestamp(old.GetCreationTimestamp())
	next.SetDeletionTimestamp(old.GetDeletionTimestamp())
	next.SetGeneration(old.GetGeneration())
	if equality.Semantic.DeepEqual(stored, obj) {
		return nil
	}
	if next.GetDeletionTimestamp() != nil && len(next.GetFinalizers()) == 0 && !namespaceHasFinalizers(obj) {
		return t.ObjectTracker.Delete(gvr, ns, next.GetName())
	}
	if !equality.Semantic.DeepEqual(field(stored, "Spec"), field(obj, "Spec")) {
		next.SetGeneration(old.GetGeneration() + 1)
	}
	t.stamp(next)
	return t.ObjectTracker.Update(gvr, obj, ns)
}

func (t *tracker) Delete(gvr schema.GroupVersionResource, ns, name string, opts ...metav1.DeleteOptions) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	obj, err := t.Get(gvr, ns, name)
	if err != nil {
		return err
	}
	m, err := meta.Accessor(obj)
	if err != nil {
		return err
	}
	for _, o := range opts {
		if p := o.Preconditions; p != nil && p.UID != nil && *p.UID != m.GetUID() {
			return apierrors.NewConflict(gvr.GroupResource(), name, fmt.Errorf("the UID in the precondition does not match"))
		}
		if p := o.Preconditions; p != nil && p.ResourceVersion != nil && *p.ResourceVersion != m.GetResourceVersion() {
			return apierrors.NewConflict(gvr.GroupResource(), name, fmt.Errorf("the ResourceVersion in the precondition does not match"))
		}
		addPropagation(m, o.PropagationPolicy)
	}
	if len(m.GetFinalizers()) == 0 && !namespaceHasFinalizers(obj) {
		return t.ObjectTracker.Delete(gvr, ns, name)
	}
	if m.GetDeletionTimestamp() == nil {
		m.SetDeletionTimestamp(new(metav1.Now()))
	}
	if namespace, ok := obj.(*v1.Namespace); ok {
		namespace.Status.Phase = v1.NamespaceTerminating
	}
	t.stamp(m)
	return t.ObjectTracker.Update(gvr, obj, ns)
}

func addPropagation(m metav1.Object, policy *metav1.DeletionPropagation) {
	var finalizer string
	switch {
	case policy == nil:
		return
	case *policy == metav1.DeletePropagationForeground:
		finalizer = metav1.FinalizerDeleteDependents
	case *policy == metav1.DeletePropagationOrphan:
		finalizer = metav1.FinalizerOrphanDependents
	default:
		return
	}
	if !slices.Contains(m.GetFinalizers(), finalizer) {
		m.SetFinalizers(append(m.GetFinalizers(), finalizer))
	}
}

func namespaceHasFinalizers(obj runtime.Object) bool {
	namespace, ok := obj.(*v1.Namespace)
	return ok && len(namespace.Spec.Finalizers) > 0
}

// field returns an object's field of that name, nil if it has none.
func field(obj runtime.Object, name string) any {
	if f := reflect.ValueOf(obj).Elem().FieldByName(name); f.IsValid() {
		return f.Interface()
	}
	return nil
}
