package catalog

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func schedulingKinds() []*Kind {
	gv := schedulingv1.SchemeGroupVersion
	doc := schedulingv1.PriorityClass{}.SwaggerDoc()
	return []*Kind{
		row[schedulingv1.PriorityClass, schedulingv1.PriorityClassList](gv, Kind{
			Resource:   "priorityclasses",
			ShortNames: []string{"pc"},
			Strategy: Strategy{
				Default:          on(func(c *schedulingv1.PriorityClass) { setDefault(&c.PreemptionPolicy, corev1.PreemptLowerPriority) }),
				Validate:         check(validatePriorityClass),
				Revalidate:       checkChange(validatePriorityClassChange),
				PrepareForCreate: on(func(c *schedulingv1.PriorityClass) { c.Generation = 1 }), // and so it stays
			},
			Table: table(func(c *schedulingv1.PriorityClass, now time.Time) []any {
				return []any{c.Name, count(c.Value), c.GlobalDefault, Age(c.CreationTimestamp, now), orElse(c.PreemptionPolicy, "")}
			},
				nameColumn(),
				column("Value", "integer", doc["value"]),
				column("Global-Default", "boolean", doc["globalDefault"]),
				ageColumn(),
				column("PreemptionPolicy", "string", doc["preemptionPolicy"]),
			),
		}),
	}
}

// Source of the sentences: k8s.io/kubernetes/pkg/apis/scheduling/validation.

func validatePriorityClass(c *schedulingv1.PriorityClass, root *field.Path) errorList {
	const highest = 1_000_000_000
	var errs errorList
	if strings.HasPrefix(c.Name, "system-") {
		if text := badSystemClass(c); text != "" {
			errs = append(errs, field.Forbidden(child(root, "metadata", "name"),
				"priority class names with 'system-' prefix are reserved for system use only. error: "+text))
		}
	} else if c.Value > highest {
		errs = append(errs, field.Forbidden(child(root, "value"), fmt.Sprintf("maximum allowed value of a user defined priority is %v", highest)))
	}
	path := child(root, "preemptionPolicy")
	switch p := value(c.PreemptionPolicy); p {
	case corev1.PreemptLowerPriority, corev1.PreemptNever:
	case "":
		errs = append(errs, field.Required(path, ""))
	default:
		errs = append(errs, field.NotSupported(path, p, []corev1.PreemptionPolicy{corev1.PreemptLowerPriority, corev1.PreemptNever}))
	}
	return errs
}

// badSystemClass says what is wrong with a class that bears a name of the system's two.
func badSystemClass(c *schedulingv1.PriorityClass) string {
	known := map[string]int32{"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
	switch v, ok := known[c.Name]; {
	case !ok:
		return c.Name + " is not a known system priority class"
	case c.Value != v:
		return fmt.Sprintf("value of %v PriorityClass must be %v", c.Name, v)
	case c.GlobalDefault:
		return fmt.Sprintf("globalDefault of %v PriorityClass must be %v", c.Name, false)
	}
	return ""
}

func validatePriorityClassChange(c, old *schedulingv1.PriorityClass, root *field.Path) errorList {
	var errs errorList
	if c.Value != old.Value {
		errs = append(errs, field.Forbidden(child(root, "value"), "may not be changed in an update."))
	}
	return append(errs, unchanged(child(root, "preemptionPolicy"), c.PreemptionPolicy, old.PreemptionPolicy)...)
}
