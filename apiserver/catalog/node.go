package catalog

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func nodeKinds() []*Kind {
	gv := nodev1.SchemeGroupVersion
	return []*Kind{
		row[nodev1.RuntimeClass, nodev1.RuntimeClassList](gv, Kind{
			Resource: "runtimeclasses",
			Strategy: Strategy{
				Validate: check(func(c *nodev1.RuntimeClass) errorList {
					return append(validateRuntimeClass(c), validateHandler(c.Handler)...)
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

func validateHandler(handler string) errorList {
	path := field.NewPath("handler")
	if handler == "" {
		return required(path, true)
	}
	return invalidEach(path, handler, content.IsDNS1123Label(handler)).MarkBeta()
}

func validateRuntimeClass(c *nodev1.RuntimeClass) errorList {
	if c.Scheduling == nil {
		return nil
	}
	path := field.NewPath("scheduling")
	errs := metav1validation.ValidateLabels(c.Scheduling.NodeSelector, path.Child("nodeSelector"))
	errs = append(errs, validateTolerations(c.Scheduling.Tolerations, path.Child("tolerations"))...)
	for i, t := range c.Scheduling.Tolerations {
		same := func(o corev1.Toleration) bool {
			return o.Key == t.Key && o.Operator == t.Operator && o.Value == t.Value && o.Effect == t.Effect
		}
		if slices.ContainsFunc(c.Scheduling.Tolerations[:i], same) {
			errs = append(errs, field.Duplicate(path.Child("tolerations").Index(i), internalForm(t)))
		}
	}
	return errs
}

func validateRuntimeClassChange(c, old *nodev1.RuntimeClass) errorList {
	path := field.NewPath("handler")
	if c.Handler == old.Handler {
		return validateRuntimeClass(c)
	}
	errs := append(declaredUnchanged(path, c.Handler, old.Handler), required(path, c.Handler == "")...)
	if c.Handler != "" {
		errs = append(errs, invalidEach(path, c.Handler, validation.IsDNS1123Label(c.Handler))...)
	}
	return append(errs, validateRuntimeClass(c)...)
}

func validateTolerations(tolerations []corev1.Toleration, path *field.Path) errorList {
	var errs errorList
	for i := range tolerations {
		errs = append(errs, validateToleration(&tolerations[i], path.Index(i))...)
	}
	return errs
}

func validateToleration(t *corev1.Toleration, path *field.Path) errorList {
	var errs errorList
	if t.Key != "" {
		errs = append(errs, metav1validation.ValidateLabelName(t.Key, path.Child("key"))...)
	} else if t.Operator != corev1.TolerationOpExists {
		errs = append(errs, field.Invalid(path.Child("operator"), t.Operator,
			"operator must be Exists when `key` is empty, which means \"match all values and all keys\""))
	}
	if t.TolerationSeconds != nil && t.Effect != corev1.TaintEffectNoExecute {
		errs = append(errs, field.Invalid(path.Child("effect"), t.Effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"))
	}
	at := path.Child("operator")
	switch t.Operator {
	case corev1.TolerationOpEqual, "":
		if texts := validation.IsValidLabelValue(t.Value); len(texts) > 0 {
			errs = append(errs, field.Invalid(at, t.Value, strings.Join(texts, ";")))
		}
	case corev1.TolerationOpExists:
		if t.Value != "" {
			errs = append(errs, field.Invalid(at, t.Value, "value must be empty when `operator` is 'Exists'"))
		}
	default:
		errs = append(errs, field.NotSupported(at, t.Operator, []corev1.TolerationOperator{corev1.TolerationOpEqual, corev1.TolerationOpExists}))
	}
	effects := []corev1.TaintEffect{corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute}
	if t.Effect != "" && !slices.Contains(effects, t.Effect) {
		errs = append(errs, field.NotSupported(path.Child("effect"), t.Effect, effects))
	}
	return errs
}
