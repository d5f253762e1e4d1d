package catalog

import (
	"k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Kubernetes checks an object twice: with handwritten code, and with rules that its types declare (the +k8s:
// tags, KEP-5073). A declared rule's error replaces the handwritten one and comes after all handwritten errors,
// in the order of the type's fields. Our functions mark the former with declared; Ordered puts them last.

// declared marks errors of rules that the API types declare.
func declared(errs ...*field.Error) field.ErrorList { return field.ErrorList(errs).MarkBeta() }

// Ordered returns the errors that are told in the order in which Kubernetes reports them, each handwritten one once.
func Ordered(errs field.ErrorList) field.ErrorList {
	var first, last field.ErrorList
	seen := map[string]bool{}
	for _, e := range Told(errs) {
		switch text := e.Error(); {
		case e.IsBeta():
			last = append(last, e)
		case !seen[text]:
			seen[text] = true
			first = append(first, e)
		}
	}
	return append(first, last...)
}

// required reports an empty value. Rules about an empty value's content are not asked then.
func required(path *field.Path, empty bool) field.ErrorList {
	if !empty {
		return nil
	}
	return declared(field.Required(path, ""))
}

// errorList is short for what every check returns.
type errorList = field.ErrorList

// invalidEach makes an error of each complaint about a value.
func invalidEach[T any](path *field.Path, value T, complaints []string) errorList {
	var errs errorList
	for _, text := range complaints {
		errs = append(errs, field.Invalid(path, value, text))
	}
	return errs
}

// unchanged reports a change of a field that is fixed from creation.
func unchanged[T any](path *field.Path, now, old T) errorList {
	if equality.Semantic.DeepEqual(now, old) {
		return nil
	}
	return errorList{field.Invalid(path, internalForm(now), apivalidation.FieldImmutableErrorMsg)}
}

// declaredUnchanged is unchanged where the type itself declares that the field is fixed.
func declaredUnchanged[T any](path *field.Path, now, old T) errorList {
	if equality.Semantic.DeepEqual(now, old) {
		return nil
	}
	return declared(field.Invalid(path, nil, apivalidation.FieldImmutableErrorMsg))
}

// nonNegative reports a number below zero.
func nonNegative[N int | int32 | int64](path *field.Path, n N) errorList {
	return apivalidation.ValidateNonnegativeField(int64(n), path)
}

// validateSelector checks a label selector, and says unusable of one that cannot be evaluated.
func validateSelector(s *metav1.LabelSelector, path *field.Path, unusable string) errorList {
	errs := metav1validation.ValidateLabelSelector(s, metav1validation.LabelSelectorValidationOptions{}, path)
	if selector, err := metav1.LabelSelectorAsSelector(s); err != nil {
		errs = append(errs, field.Invalid(path, selector, unusable))
	}
	return errs
}
