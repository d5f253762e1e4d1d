package catalog

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func nodeKinds() []*Kind {
	gv := nodev1.SchemeGroupVersion
	return []*Kind{
		row[nodev1.RuntimeClass, nodev1.RuntimeClassList](gv, Kind{
			Resource: "runtimeclasses",
			Strategy: Strategy{
				Validate: check(func(c *nodev1.RuntimeClass, root *field.Path) errorList {
					return append(validateRuntimeClass(c, root), validateHandler(c.Handler, root)...)
				}),
				Revalidate:          checkChange(validateRuntimeClassChange),
				AllowCreateOnUpdate: true,
				RequireVersion:      true,
			},
			Table: table(func(c *nodev1.RuntimeClass, now time.Time) []any {
				return []any{c.Name, c.Handler, Age(c.CreationTimestamp, now)}
			},
				nameColumn(),
				column("Handler", "string", ""),
				ageColumn(),
			),
		}),
	}
}

// Source of the sentences: k8s.io/kubernetes/pkg/apis/node/validation and pkg/apis/core/validation.

func validateHandler(handler string, root *field.Path) errorList {
	path := child(root, "handler")
	if handler == "" {
		return required(path, true)
	}
	return invalidEach(path, handler, content.IsDNS1123Label(handler)).MarkBeta()
}

func validateRuntimeClass(c *nodev1.RuntimeClass, root *field.Path) errorList {
	var errs errorList
	if o := c.Overhead; o != nil {
		errs = validateRequirements(&corev1.ResourceRequirements{Limits: o.PodFixed}, containerResource, claimNames{}, child(root, "overhead"))
	}
	if c.Scheduling == nil {
		return errs
	}
	path := child(root, "scheduling")
	errs = append(errs, validateLabels(c.Scheduling.NodeSelector, child(path, "nodeSelector"))...)
	errs = append(errs, validateTolerations(c.Scheduling.Tolerations, child(path, "tolerations"))...)
	seen := before[corev1.Toleration]{}
	for i, t := range c.Scheduling.Tolerations {
		same := t
		same.TolerationSeconds = nil // whatever they are
		if seen.has(same) {
			errs = append(errs, field.Duplicate(nth(child(path, "tolerations"), i), internalForm(t)))
		}
	}
	return errs
}

func validateRuntimeClassChange(c, old *nodev1.RuntimeClass, root *field.Path) errorList {
	path := child(root, "handler")
	if c.Handler == old.Handler {
		return validateRuntimeClass(c, root)
	}
	errs := append(declaredUnchanged(path, c.Handler, old.Handler), required(path, c.Handler == "")...)
	if c.Handler != "" {
		errs = append(errs, invalidEach(path, c.Handler, isDNSLabel(c.Handler))...)
	}
	return append(errs, validateRuntimeClass(c, root)...)
}
