package registry

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coracle/apiserver/catalog"
)

// Lookups by name, for those who must know whether something is (still) there: nil when it is not.
// What is returned is shared, and nobody may change it.

// Namespace finds a namespace.
func (r *Registry) Namespace(name string) *corev1.Namespace {
	return find[*corev1.Namespace](r, "namespaces", "", name)
}

// ServiceAccount finds a service account.
func (r *Registry) ServiceAccount(namespace, name string) *corev1.ServiceAccount {
	return find[*corev1.ServiceAccount](r, "serviceaccounts", namespace, name)
}

// Secret finds a Secret.
func (r *Registry) Secret(namespace, name string) *corev1.Secret {
	return find[*corev1.Secret](r, "secrets", namespace, name)
}

// ConfigMap finds a ConfigMap.
func (r *Registry) ConfigMap(namespace, name string) *corev1.ConfigMap {
	return find[*corev1.ConfigMap](r, "configmaps", namespace, name)
}

// Pod finds a pod.
func (r *Registry) Pod(namespace, name string) *corev1.Pod {
	return find[*corev1.Pod](r, "pods", namespace, name)
}

// Node finds a node.
func (r *Registry) Node(name string) *corev1.Node {
	return find[*corev1.Node](r, "nodes", "", name)
}

func find[T runtime.Object](r *Registry, resource, namespace, name string) T {
	var none T
	k := r.catalog.ByResource(schema.GroupVersionResource{Version: "v1", Resource: resource})
	if k == nil {
		return none
	}
	typed, _ := r.object(k, namespace, name).(T)
	return typed
}

func (r *Registry) object(k *catalog.Kind, namespace, name string) runtime.Object {
	e, err := r.Get(k, namespace, name)
	if err != nil {
		return nil
	}
	obj, err := r.Object(k, e)
	if err != nil {
		return nil
	}
	return obj
}

// Lookup finds an object of any kind.
func (r *Registry) Lookup(gvk schema.GroupVersionKind, namespace, name string) runtime.Object {
	k := r.catalog.ByKind(gvk)
	if k == nil {
		return nil
	}
	return r.object(k, namespace, name)
}

// Services lists the services of all namespaces.
func (r *Registry) Services() []*corev1.Service {
	return all[*corev1.Service](r, corev1.SchemeGroupVersion.WithKind("Service"))
}

// PriorityClass finds a priority class.
func (r *Registry) PriorityClass(name string) *schedulingv1.PriorityClass {
	class, _ := r.Lookup(schedulingv1.SchemeGroupVersion.WithKind("PriorityClass"), "", name).(*schedulingv1.PriorityClass)
	return class
}

// PriorityClasses lists all priority classes.
func (r *Registry) PriorityClasses() []*schedulingv1.PriorityClass {
	return all[*schedulingv1.PriorityClass](r, schedulingv1.SchemeGroupVersion.WithKind("PriorityClass"))
}

// ClusterRoles returns every one. Nobody may change them.
func (r *Registry) ClusterRoles() []*rbacv1.ClusterRole {
	return all[*rbacv1.ClusterRole](r, rbacv1.SchemeGroupVersion.WithKind("ClusterRole"))
}

func all[T runtime.Object](r *Registry, gvk schema.GroupVersionKind) []T { return allIn[T](r, gvk, "") }

func allIn[T runtime.Object](r *Registry, gvk schema.GroupVersionKind, namespace string) []T {
	k := r.catalog.ByKind(gvk)
	if k == nil {
		return nil
	}
	objs, err := r.All(context.Background(), k, namespace)
	if err != nil {
		return nil
	}
	out := make([]T, 0, len(objs))
	for _, obj := range objs {
		if typed, ok := obj.(T); ok {
			out = append(out, typed)
		}
	}
	return out
}
