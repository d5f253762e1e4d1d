package catalog

import (
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// sources collects what is wrong with a volume, of which exactly one kind of source may be set.
type sources struct {
	path  *field.Path
	found bool
	errs  errorList
}

// source checks one kind of source if it is set. All but the first that is set are refused unchecked.
func source[T any](s *sources, v *T, name string, check func(v *T, at *field.Path) errorList) {
	sourceAs(s, v, name, name, check)
}

// sourceAs is source where errors name a field in one way that they refuse as a second, and in another that they check.
func sourceAs[T any](s *sources, v *T, second, name string, check func(v *T, at *field.Path) errorList) {
	switch {
	case v == nil:
	case s.found:
		s.errs = append(s.errs, field.Forbidden(child(s.path, second), "may not specify more than 1 volume type"))
	default:
		s.found = true
		s.errs = append(s.errs, check(v, child(s.path, name))...)
	}
}

// checked are all complaints.
func (s *sources) checked() errorList {
	if !s.found {
		s.errs = append(s.errs, field.Required(s.path, "must specify a volume type"))
	}
	return s.errs
}
