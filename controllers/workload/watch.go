package workload

import (
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"coracle/controllers/loop"
)

// WatchOwned adds the owners of what informer tells of: an object's controller, if that is of the kind, before and
// after a change. For an orphan that is new, or whose labels or owners changed, it adds those that selecting returns,
// who might adopt it. selecting may be nil.
func WatchOwned[T metav1.Object](l *loop.Loop[cache.ObjectName], informer cache.SharedIndexInformer, kind schema.GroupVersionKind, selecting func(T) []cache.ObjectName) {
	add := func(object T) (orphan bool) {
		ref := metav1.GetControllerOfNoCopy(object)
		if ref == nil {
			return true
		}
		if Is(ref, kind) {
			l.Add(cache.NewObjectName(object.GetNamespace(), ref.Name))
		}
		return false
	}
	var none T
	loop.Watch(l, informer, func(old, new T) {
		existed, exists := any(old) != any(none), any(new) != any(none)
		if existed {
			add(old)
		}
		if !exists || !add(new) || selecting == nil || new.GetDeletionTimestamp() != nil {
			return
		}
		if existed && equality.Semantic.DeepEqual(old.GetLabels(), new.GetLabels()) && metav1.GetControllerOfNoCopy(old) == nil {
			return
		}
		for _, name := range selecting(new) {
			l.Add(name)
		}
	})
}

// Is tells whether an owner reference names an owner of the kind, in any version.
func Is(ref *metav1.OwnerReference, kind schema.GroupVersionKind) bool {
	gv, err := schema.ParseGroupVersion(ref.APIVersion)
	return err == nil && gv.Group == kind.Group && ref.Kind == kind.Kind
}

// Selects tells whether a selector chooses these labels. One that is empty or broken chooses none.
func Selects(selector *metav1.LabelSelector, object metav1.Object) bool {
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && !s.Empty() && s.Matches(labels.Set(object.GetLabels()))
}

// Selecting are the names of those owners whose selector chooses an object.
func Selecting[O metav1.Object](owners []O, object metav1.Object, selector func(O) *metav1.LabelSelector) []cache.ObjectName {
	var names []cache.ObjectName
	for _, o := range owners {
		if Selects(selector(o), object) {
			names = append(names, cache.MetaObjectToName(o))
		}
	}
	return names
}

// WatchSelf adds every object that informer tells of, and calls gone, if it is not nil, with the UID of one that is no
// more.
func WatchSelf(l *loop.Loop[cache.ObjectName], informer cache.SharedIndexInformer, gone func(types.UID)) {
	loop.Watch(l, informer, func(old, new metav1.Object) {
		switch {
		case new != nil:
			l.Add(cache.MetaObjectToName(new))
			if old == nil || old.GetUID() == new.GetUID() {
				return
			}
		default:
			l.Add(cache.MetaObjectToName(old))
		}
		if gone != nil {
			gone(old.GetUID())
		}
	})
}
