package catalog

import (
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Numbers that may be a share of the replicas: 2, or "25%".

func validateIntOrPercent(v intstr.IntOrString, path *field.Path) errorList {
	if v.Type == intstr.String {
		return invalidEach(path, v, validation.IsValidPercent(v.StrVal))
	}
	return nonNegative(path, v.IntVal)
}

func atMost100Percent(v intstr.IntOrString, path *field.Path) errorList {
	if n, ok := percentOf(v); ok && n > 100 {
		return errorList{field.Invalid(path, v, "must not be greater than 100%")}
	}
	return nil
}

func percentOf(v intstr.IntOrString) (int, bool) {
	if v.Type != intstr.String || len(validation.IsValidPercent(v.StrVal)) > 0 {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimSuffix(v.StrVal, "%"))
	return n, err == nil
}

func amountOf(v intstr.IntOrString) int {
	if n, ok := percentOf(v); ok {
		return n
	}
	return v.IntValue()
}
