package looptest

import (
	"fmt"
	"reflect"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"
)

// react does what the fake's own reaction does not: an update of the object leaves its status alone and an update
// of a subresource changes nothing else; a binding binds; a finalized namespace loses its finalizers.
func (t *tracker) react(action clienttesting.Action) (bool, runtime.Object, error) {
	switch a := action.(type) {
	case clienttesting.CreateActionImpl:
		switch {
		case a.GetSubresource() == "binding":
			return t.bind(a)
		case a.GetSubresource() == "finalize":
			return t.update(a, a.GetObject(), "Spec")
		}
	case clienttesting.UpdateActionImpl:
		switch a.GetSubresource() {
		case "":
			return t.update(a, a.GetObject(), "")
		case "status", "approval":
			return t.update(a, a.GetObject(), "Status")
		case "finalize":
			return t.update(a, a.GetObject(), "Spec")
		}
	}
	return false, nil, nil
}

// update replaces one field of the stored object, or, with no field named, all but its status.
func (t *tracker) update(action clienttesting.Action, obj runtime.Object, only string) (bool, runtime.Object, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	gvr, ns := action.GetResource(), action.GetNamespace()
	given, err := meta.Accessor(obj)
	if err != nil {
		return true, nil, err
	}
	stored, err := t.Get(gvr, ns, given.GetName())
	if err != nil {
		return true, nil, err
	}
	next := stored
	if only == "" {
		next = obj.DeepCopyObject()
		copyField(next, stored, "Status")
	} else {
		copyField(next, obj, only)
		m, err := meta.Accessor(next)
		if err != nil {
			return true, nil, err
		}
		m.SetResourceVersion(given.GetResourceVersion())
		m.SetUID(given.GetUID())
	}
	if err := t.replace(gvr, next, ns); err != nil {
		return true, nil, err
	}
	now, err := t.Get(gvr, ns, given.GetName())
	if apierrors.IsNotFound(err) {
		return true, next, nil // that was the last finalizer
	}
	return true, now, err
}

func (t *tracker) bind(action clienttesting.CreateActionImpl) (bool, runtime.Object, error) {
	binding, ok := action.GetObject().(*v1.Binding)
	if !ok {
		return true, nil, fmt.Errorf("%T is no Binding", action.GetObject())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	gvr, ns := action.GetResource(), action.GetNamespace()
	obj, err := t.Get(gvr, ns, binding.Name)
	if err != nil {
		return true, nil, err
	}
	pod := obj.(*v1.Pod)
	if pod.Spec.NodeName != "" {
		return true, nil, apierrors.NewConflict(gvr.GroupResource(), pod.Name, fmt.Errorf("pod %s is already assigned to node %q", pod.Name, pod.Spec.NodeName))
	}
	pod.Spec.NodeName = binding.Target.Name
	pod.Status.Conditions = append(pod.Status.Conditions, v1.PodCondition{
		Type: v1.PodScheduled, Status: v1.ConditionTrue, LastTransitionTime: metav1.Now(),
	})
	return true, binding, t.replace(gvr, pod, ns)
}

func copyField(to, from runtime.Object, name string) {
	if f := reflect.ValueOf(to).Elem().FieldByName(name); f.IsValid() {
		f.Set(reflect.ValueOf(from).Elem().FieldByName(name))
	}
}
