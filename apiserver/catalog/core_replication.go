package catalog

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func podTemplateKind() *Kind {
	return row[corev1.PodTemplate, corev1.PodTemplateList](corev1.SchemeGroupVersion, Kind{
		Resource:      "podtemplates",
		Namespaced:    true,
		ReturnDeleted: true,
		Strategy: Strategy{
			Default: on(func(t *corev1.PodTemplate) { defaultTemplate(&t.Template) }),
			Validate: check(func(t *corev1.PodTemplate, root *field.Path) errorList {
				return validateTemplate(&t.Template, child(root, "template"))
			}),
			Warnings:   warnings(podTemplateWarnings),
			Generation: true,
		},
		Table: table(func(t *corev1.PodTemplate, _ time.Time) []any {
			names, images := containersCells(t.Template.Spec.Containers)
			return []any{t.Name, names, images, labels.FormatLabels(t.Template.Labels)}
		},
			nameColumn(),
			column("Containers", "string", "Names of each container in the template."),
			column("Images", "string", "Images referenced by each container in the template."),
			column("Pod Labels", "string", "The labels for the pod template."),
		),
	})
}

func podTemplateWarnings(t, old *corev1.PodTemplate, root *field.Path) []string {
	if old != nil && t.Generation == old.Generation {
		return nil
	}
	return templateWarnings(&t.Template, nil, child(root, "template"))
}

func replicationControllerKind() *Kind {
	return row[corev1.ReplicationController, corev1.ReplicationControllerList](corev1.SchemeGroupVersion, Kind{
		Resource:        "replicationcontrollers",
		ShortNames:      []string{"rc"},
		Categories:      inAll(),
		Namespaced:      true,
		Subresources:    []Subresource{scale(), {Name: "status"}},
		OrphanByDefault: true,
		Strategy: Strategy{
			NameDeclared:         true,
			Default:              on(defaultReplicationController),
			PrepareForCreate:     on(func(r *corev1.ReplicationController) { r.Status = corev1.ReplicationControllerStatus{} }),
			Validate:             check(validateReplicationController),
			ValidateUpdate:       checkChange(validateReplicationControllerChange),
			ValidateStatusUpdate: checkChange(validateReplicationControllerStatus),
			Warnings:             warnings(replicationControllerWarnings),
			Generation:           true,
		},
		Table:      replicationControllerTable(),
		FieldNames: []string{"status.replicas"},
		Fields: fieldsOf(func(r *corev1.ReplicationController) fields.Set {
			return fields.Set{"status.replicas": decimal(r.Status.Replicas)}
		}),
	})
}

func defaultReplicationController(r *corev1.ReplicationController) {
	setDefault(&r.Spec.Replicas, 1)
	if r.Spec.Template == nil {
		return
	}
	if labels := r.Spec.Template.Labels; labels != nil {
		if len(r.Spec.Selector) == 0 {
			r.Spec.Selector = labels
		}
		if len(r.Labels) == 0 {
			r.Labels = labels
		}
	}
	defaultTemplate(r.Spec.Template)
}

func validateReplicationController(r *corev1.ReplicationController, root *field.Path) errorList {
	s, at := &r.Spec, child(root, "spec")
	var errs errorList
	selector := labels.Set(s.Selector).AsSelector()
	if selector.Empty() {
		errs = append(errs, field.Required(child(at, "selector"), ""))
	}
	if template := child(at, "template"); s.Template == nil {
		errs = append(errs, field.Required(template, ""))
	} else {
		errs = append(errs, selectsItself(selector, s.Template, template)...)
		errs = append(errs, validateTemplate(s.Template, template)...)
		errs = append(errs, alwaysRestarts("ReplicationController", s.Template, template)...)
	}
	if s.Replicas == nil {
		errs = append(errs, declared(field.Required(child(at, "replicas"), ""))...)
	} else {
		errs = append(errs, nonNegative(child(at, "replicas"), *s.Replicas).MarkBeta()...)
	}
	return append(errs, nonNegative(child(at, "minReadySeconds"), s.MinReadySeconds).MarkBeta()...)
}

// validateReplicationControllerChange: a selector that another version could not express stays.
func validateReplicationControllerChange(r, old *corev1.ReplicationController, root *field.Path) errorList {
	var errs errorList
	for key, v := range sorted(old.Annotations).each {
		name, ok := strings.CutPrefix(key, "non-convertible.kubernetes.io/")
		switch {
		case !ok || strings.Contains(name, "/"):
		case !strings.Contains(name, "selector"):
			errs = append(errs, &field.Error{Type: field.ErrorTypeNotFound, BadValue: v, Field: name, Detail: "unknown non-convertible field"})
		case !equality.Semantic.DeepEqual(r.Spec.Selector, old.Spec.Selector):
			errs = append(errs, field.Invalid(child(root, "spec", "selector"), r.Spec.Selector, "cannot update non-convertible selector"))
		}
	}
	return errs
}

func validateReplicationControllerStatus(r, _ *corev1.ReplicationController, root *field.Path) errorList {
	s, at := &r.Status, child(root, "status")
	errs := nonNegative(child(at, "replicas"), s.Replicas)
	errs = append(errs, nonNegative(child(at, "fullyLabeledReplicas"), s.FullyLabeledReplicas)...)
	errs = append(errs, nonNegative(child(at, "readyReplicas"), s.ReadyReplicas)...)
	errs = append(errs, nonNegative(child(at, "availableReplicas"), s.AvailableReplicas)...)
	errs = append(errs, nonNegative(child(at, "observedGeneration"), s.ObservedGeneration)...)
	most := func(name string, n, limit int32, text string) {
		if n > limit {
			errs = append(errs, field.Invalid(child(at, name), n, text))
		}
	}
	most("fullyLabeledReplicas", s.FullyLabeledReplicas, s.Replicas, "cannot be greater than status.replicas")
	most("readyReplicas", s.ReadyReplicas, s.Replicas, "cannot be greater than status.replicas")
	most("availableReplicas", s.AvailableReplicas, s.Replicas, "cannot be greater than status.replicas")
	most("availableReplicas", s.AvailableReplicas, s.ReadyReplicas, "cannot be greater than readyReplicas")
	return errs
}

// replicationControllerWarnings: at a change Kubernetes warns about the old template.
func replicationControllerWarnings(r, old *corev1.ReplicationController, root *field.Path) []string {
	at := child(root, "spec", "template")
	switch {
	case old == nil && r.Spec.Template != nil:
		return append(podNameWarning(r.Name), templateWarnings(r.Spec.Template, nil, at)...)
	case old != nil && old.Generation != r.Generation && old.Spec.Template != nil:
		return templateWarnings(old.Spec.Template, r.Spec.Template, at)
	}
	return nil
}

func replicationControllerTable() Table {
	spec, status := corev1.ReplicationControllerSpec{}.SwaggerDoc(), corev1.ReplicationControllerStatus{}.SwaggerDoc()
	names, images := containersColumns()
	return table(func(r *corev1.ReplicationController, now time.Time) []any {
		var containers []corev1.Container
		if r.Spec.Template != nil {
			containers = r.Spec.Template.Spec.Containers
		}
		n, i := containersCells(containers)
		return []any{
			r.Name, count(value(r.Spec.Replicas)), count(r.Status.Replicas), count(r.Status.ReadyReplicas),
			Age(r.CreationTimestamp, now), n, i, labels.FormatLabels(r.Spec.Selector),
		}
	},
		nameColumn(),
		column("Desired", "integer", spec["replicas"]),
		column("Current", "integer", status["replicas"]),
		column("Ready", "integer", status["readyReplicas"]),
		ageColumn(),
		names, images,
		wide("Selector", "string", spec["selector"]),
	)
}
