package customresource

import (
	"fmt"

	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/cel/common"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	"k8s.io/kube-openapi/pkg/validation/validate"
)

// maxFaults is how many faults of an object are looked for. Each is compared with all that were found before it, at every level
// of the object, so that a list of a million wrong items would be at work for hours. Upstream has no such bound.
const maxFaults = 100

// faults counts what is wrong in one object. From maxFaults on all else in it is taken to be right: it is refused as it is.
type faults struct{ found int }

// checked is a schema that values are checked against.
type checked struct{ schema *spec.Schema }

// create finds the faults of a new value.
func (c checked) create(at *field.Path, v any) field.ErrorList {
	f := &faults{}
	return f.rest(validation.ValidateCustomResource(at, v, c.by(f)))
}

// update finds the faults of a value that are not those of the one before it, as both tells.
func (c checked) update(at *field.Path, v, before any, both *common.CorrelatedObject) field.ErrorList {
	f := &faults{}
	return f.rest(validation.ValidateCustomResourceUpdate(at, v, before, c.by(f), validation.WithRatcheting(both)))
}

func (c checked) by(f *faults) validation.SchemaValidator {
	return validation.NewRatchetingSchemaValidator(c.schema, nil, "", strfmt.Default, f.count)
}

func (f *faults) rest(errs field.ErrorList) field.ErrorList {
	if f.found >= maxFaults {
		errs = append(errs, field.Invalid(nil, nil, fmt.Sprintf("no more than %d faults are looked for; correct them to see whether there are more", maxFaults)))
	}
	return errs
}

// count is a validate.Option: the validators of all that is below count. Those of the branches of allOf, anyOf, oneOf and not take no
// options.
func (f *faults) count(o *validate.SchemaValidatorOptions) {
	ofField, ofIndex := o.NewValidatorForField, o.NewValidatorForIndex
	o.NewValidatorForField = func(name string, s *spec.Schema, root any, path string, formats strfmt.Registry, how ...validate.Option) validate.ValueValidator {
		switch how = append(how, f.count); {
		case f.found >= maxFaults:
			return counted{nil, f}
		case ofField == nil:
			return counted{validate.NewSchemaValidator(s, root, path, formats, how...), f}
		}
		return counted{ofField(name, s, root, path, formats, how...), f}
	}
	o.NewValidatorForIndex = func(i int, s *spec.Schema, root any, path string, formats strfmt.Registry, how ...validate.Option) validate.ValueValidator {
		switch how = append(how, f.count); {
		case f.found >= maxFaults:
			return counted{nil, f}
		case ofIndex == nil:
			return counted{validate.NewSchemaValidator(s, root, path, formats, how...), f}
		}
		return counted{ofIndex(i, s, root, path, formats, how...), f}
	}
}

type counted struct {
	validate.ValueValidator
	faults *faults
}

// Validate forgets warnings, which are faults that were there before, and that nobody is told of.
func (c counted) Validate(data any) *validate.Result {
	before := c.faults.found
	if before >= maxFaults {
		return &validate.Result{}
	}
	r := c.ValueValidator.Validate(data)
	r.Warnings = nil
	c.faults.found = before + len(r.Errors)
	return r
}
