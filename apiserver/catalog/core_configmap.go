package catalog

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func configMapKind() *Kind {
	return row[corev1.ConfigMap, corev1.ConfigMapList](corev1.SchemeGroupVersion, Kind{
		Resource:   "configmaps",
		ShortNames: []string{"cm"},
		Namespaced: true,
		Strategy: Strategy{
			Validate:   check(validateConfigMap),
			Revalidate: checkChange(validateConfigMapChange),
		},
		Table: table(func(c *corev1.ConfigMap, now time.Time) []any {
			return []any{c.Name, count(len(c.Data) + len(c.BinaryData)), Age(c.CreationTimestamp, now)}
		},
			nameColumn(),
			column("Data", "string", corev1.ConfigMap{}.SwaggerDoc()["data"]),
			ageColumn(),
		),
	})
}

func validateConfigMap(c *corev1.ConfigMap, root *field.Path) errorList {
	var errs errorList
	size := 0
	for key, text := range sorted(c.Data).each {
		at := keyed(child(root, "data"), key)
		errs = append(errs, invalidEach(at, key, validation.IsConfigMapKey(key))...)
		if _, twice := c.BinaryData[key]; twice {
			errs = append(errs, field.Invalid(at, key, "duplicate of key present in binaryData"))
		}
		size += len(text)
	}
	for key, bytes := range sorted(c.BinaryData).each {
		errs = append(errs, invalidEach(keyed(child(root, "binaryData"), key), key, validation.IsConfigMapKey(key))...)
		size += len(bytes)
	}
	if size > corev1.MaxSecretSize {
		errs = append(errs, field.TooLong(child(root, ""), "", corev1.MaxSecretSize))
	}
	return errs
}

func validateConfigMapChange(c, old *corev1.ConfigMap, root *field.Path) errorList {
	var errs errorList
	if value(old.Immutable) {
		errs = append(errs, stays(child(root, "immutable"), value(c.Immutable))...)
		errs = append(errs, stays(child(root, "data"), equality.Semantic.DeepEqual(c.Data, old.Data))...)
		errs = append(errs, stays(child(root, "binaryData"), equality.Semantic.DeepEqual(c.BinaryData, old.BinaryData))...)
	}
	return append(errs, validateConfigMap(c, root)...)
}

// stays reports a change of what `immutable` has fixed.
func stays(at *field.Path, same bool) errorList {
	if same {
		return nil
	}
	return errorList{field.Forbidden(at, "field is immutable when `immutable` is set")}
}
