package catalog

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func namespaceKind() *Kind {
	return row[corev1.Namespace, corev1.NamespaceList](corev1.SchemeGroupVersion, Kind{
		Resource:   "namespaces",
		ShortNames: []string{"ns"},
		Verbs:      []string{"create", "delete", "get", "list", "patch", "update", "watch"},
		Subresources: []Subresource{
			{Name: "finalize", Verbs: []string{"update"}, Validate: checkChange(validateFinalize)},
			{Name: "status"},
		},
		ReturnDeleted: true,
		Strategy: Strategy{
			Default:          on(defaultNamespace),
			PrepareForCreate: on(prepareNewNamespace),
			PrepareForUpdate: onChange(func(n, old *corev1.Namespace) {
				n.Spec.Finalizers = slices.Clone(old.Spec.Finalizers)
			}),
			Validate:             check(validateNamespace),
			ValidateStatusUpdate: checkChange(validateNamespaceStatus),
			ValidateName:         validation.ValidateNamespaceName,
		},
		Table: table(func(n *corev1.Namespace, now time.Time) []any {
			return []any{n.Name, string(n.Status.Phase), Age(n.CreationTimestamp, now)}
		},
			nameColumn(),
			column("Status", "string", "The status of the namespace"),
			ageColumn(),
		),
		FieldNames: []string{"status.phase"},
		Fields: fieldsOf(func(n *corev1.Namespace) fields.Set {
			return fields.Set{"status.phase": string(n.Status.Phase)}
		}),
	})
}

// defaultNamespace gives a namespace the label by which selectors can choose it: its own name.
func defaultNamespace(n *corev1.Namespace) {
	if n.Name != "" {
		if n.Labels == nil {
			n.Labels = map[string]string{}
		}
		n.Labels[corev1.LabelMetadataName] = n.Name
	}
	setDefaultValue(&n.Status.Phase, corev1.NamespaceActive)
}

// prepareNewNamespace sees to it that the namespace is emptied before it goes.
func prepareNewNamespace(n *corev1.Namespace) {
	defaultNamespace(n) // its name may have been generated just now
	n.Status = corev1.NamespaceStatus{Phase: corev1.NamespaceActive}
	if !slices.Contains(n.Spec.Finalizers, corev1.FinalizerKubernetes) {
		n.Spec.Finalizers = append(n.Spec.Finalizers, corev1.FinalizerKubernetes)
	}
}

func validateNamespace(n *corev1.Namespace, root *field.Path) errorList {
	var errs errorList
	for _, f := range n.Spec.Finalizers {
		errs = append(errs, validateFinalizer(string(f), child(root, "spec", "finalizers"))...)
	}
	return errs
}

func validateFinalize(n, _ *corev1.Namespace, root *field.Path) errorList {
	var errs errorList
	for i, f := range n.Spec.Finalizers {
		errs = append(errs, validateFinalizer(string(f), nth(child(root, "spec", "finalizers"), i))...)
	}
	return errs
}

func validateFinalizer(name string, at *field.Path) errorList {
	return append(validation.ValidateFinalizerName(name, at), knownFinalizer(name, at)...)
}

// validateNamespaceStatus: the phase follows from whether the namespace is being deleted.
func validateNamespaceStatus(n, _ *corev1.Namespace, root *field.Path) errorList {
	at, phase := child(root, "status", "Phase"), n.Status.Phase
	switch {
	case n.DeletionTimestamp.IsZero() && phase != corev1.NamespaceActive:
		return errorList{field.Invalid(at, phase, "may only be 'Active' if `deletionTimestamp` is empty")}
	case !n.DeletionTimestamp.IsZero() && phase != corev1.NamespaceTerminating:
		return errorList{field.Invalid(at, phase, "may only be 'Terminating' if `deletionTimestamp` is not empty")}
	}
	return nil
}
