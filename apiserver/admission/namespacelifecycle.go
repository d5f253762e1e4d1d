package admission

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Namespaces finds a namespace, nil when there is none.
type Namespaces interface {
	Namespace(name string) *corev1.Namespace
}

// NamespaceLifecycle: nothing is created in a namespace that does not exist or is being terminated, and
// default, kube-system and kube-public cannot be deleted.
// Source: k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle.
type NamespaceLifecycle struct{ Namespaces Namespaces }

// Name returns NamespaceLifecycle.
func (NamespaceLifecycle) Name() string { return "NamespaceLifecycle" }

// Mutate refuses early, before other plugins work in vain. It changes nothing.
func (p NamespaceLifecycle) Mutate(ctx context.Context, a *Attributes) error {
	if a.Kind.Group == "" && a.Kind.Resource == "namespaces" {
		return immortal(a)
	}
	if a.Operation != Create || a.Namespace == "" || !a.Kind.Namespaced {
		return nil
	}
	if a.Kind.Group == "authorization.k8s.io" { // an answer here would tell which namespaces exist
		return nil
	}
	ns := p.Namespaces.Namespace(a.Namespace)
	if ns == nil {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, a.Namespace)
	}
	if ns.Status.Phase == corev1.NamespaceTerminating {
		err := Forbidden(a, fmt.Errorf("unable to create new content in namespace %s because it is being terminated", a.Namespace))
		var status *apierrors.StatusError
		if errors.As(err, &status) {
			status.ErrStatus.Details.Causes = append(status.ErrStatus.Details.Causes, metav1.StatusCause{
				Type:    corev1.NamespaceTerminatingCause,
				Message: fmt.Sprintf("namespace %s is being terminated", a.Namespace),
				Field:   "metadata.namespace",
			})
		}
		return err
	}
	return nil
}

func immortal(a *Attributes) error {
	if a.Operation != Delete {
		return nil
	}
	switch a.Name {
	case metav1.NamespaceDefault, metav1.NamespaceSystem, metav1.NamespacePublic:
		return Forbidden(a, errors.New("this namespace may not be deleted"))
	}
	return nil
}
