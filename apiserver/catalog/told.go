package catalog

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Of what is wrong with one object no more is told than this many errors, and this many bytes but for the last error. A list of a
// million empty items has millions of errors, and joining them takes time by the square of their number. Upstream tells all.
const (
	maxTold     = 200
	maxToldText = 1 << 20
)

// Told returns the errors that the client is told of, and how many more there are.
func Told(errs field.ErrorList) field.ErrorList {
	if len(errs) <= 1 {
		return errs
	}
	size := 0
	for i, e := range errs {
		if i == maxTold || size > maxToldText {
			more := field.Invalid(nil, nil, fmt.Sprintf("%d more are not told; correct these first", len(errs)-i))
			return append(errs[:i:i], more)
		}
		size += len(e.Error())
	}
	return errs
}
