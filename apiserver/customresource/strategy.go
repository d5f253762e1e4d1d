package customresource

import (
	"context"
	"math"
	"strings"

	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/common"
	"k8s.io/apiserver/pkg/warning"

	"coracle/apiserver/catalog"
)

// strategy is a version's behaviour as a row of the catalog.
// Source: k8s.io/apiextensions-apiserver/pkg/registry/customresource.
func (v *version) strategy() catalog.Strategy {
	st := catalog.Strategy{
		Default:        func(obj runtime.Object) { v.fillIn(obj.(*unstructured.Unstructured)) },
		Validate:       v.validate,
		Ratchet:        v.ratchet,
		Generation:     true,
		CountsStatus:   !v.hasStatus(),
		RequireVersion: true,
		Repeats:        true,
		Warnings:       warnings,
	}
	if v.hasStatus() {
		st.PrepareForCreate = func(obj runtime.Object) { delete(obj.(*unstructured.Unstructured).Object, "status") }
		st.PrepareForStatusUpdate = keepMetadata
		st.StatusKeepsMetadata = true
	}
	return st
}

// keepMetadata lets an update of the status change nothing of the metadata but who owns what.
func keepMetadata(obj, old runtime.Object) {
	u, before := obj.(*unstructured.Unstructured), old.(*unstructured.Unstructured)
	owners := u.GetManagedFields()
	if m, ok := before.Object["metadata"]; ok {
		u.Object["metadata"] = runtime.DeepCopyJSONValue(m)
	}
	u.SetManagedFields(owners)
}

// notChecked is upstream's sentence for rules that an object with other faults was not tested with.
const notChecked = "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation"

func (v *version) validate(obj runtime.Object) field.ErrorList {
	u := obj.(*unstructured.Unstructured)
	s, checks, errs := v.schemas()
	if errs != nil {
		return errs
	}
	errs = checks.object.create(nil, u.Object)
	errs = append(errs, v.validateScale(u, true)...)
	if s == nil {
		return errs
	}
	errs = append(errs, objectmeta.Validate(context.Background(), nil, u.Object, s, false)...)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, s, u.Object)...)
	return append(errs, v.testRules(context.Background(), s, u.Object, nil, errs)...)
}

// ratchet checks a change: what was wrong before and has not been touched may stay wrong (KEP-4008). Rules that it breaks are
// warned of.
func (v *version) ratchet(obj, old runtime.Object, status bool, warn func(string)) field.ErrorList {
	u, before := obj.(*unstructured.Unstructured), old.(*unstructured.Unstructured)
	ctx := warning.WithWarningRecorder(context.Background(), recorder(warn))
	if status {
		return v.ratchetStatus(ctx, u, before)
	}
	s, checks, errs := v.schemas()
	if errs != nil {
		return errs
	}
	if s == nil {
		return append(checks.object.create(nil, u.Object), v.validateScale(u, true)...)
	}
	both := common.NewCorrelatedObject(u.Object, before.Object, &model.Structural{Structural: s})
	errs = checks.object.update(nil, u.Object, before.Object, both)
	errs = append(errs, v.validateScale(u, true)...)
	errs = append(errs, objectmeta.Validate(context.Background(), nil, u.Object, s, false)...)
	errs = append(errs, listErrors(s, u, before)...)
	return append(errs, v.testRules(ctx, s, u.Object, before.Object, errs, cel.WithRatcheting(both))...)
}

func (v *version) ratchetStatus(ctx context.Context, u, before *unstructured.Unstructured) field.ErrorList {
	s, checks, errs := v.schemas()
	if errs != nil {
		return errs
	}
	if s == nil {
		return v.validateScale(u, false)
	}
	both := common.NewCorrelatedObject(u.Object, before.Object, &model.Structural{Structural: s})
	if status, ok := u.Object["status"]; ok && checks.status != nil {
		errs = checks.status.update(field.NewPath("status"), status, before.Object["status"], both.Key("status"))
	}
	errs = append(errs, v.validateScale(u, false)...)
	errs = append(errs, listErrors(s, u, before)...)
	return append(errs, v.testRules(ctx, s, u.Object, before.Object, errs, cel.WithRatcheting(both))...)
}

// recorder passes on what the rules warn of.
type recorder func(text string)

func (r recorder) AddWarning(_, text string) { r(text) }

// schemas are what objects are checked against; errs tell that the definition's schema is of no use.
func (v *version) schemas() (*structuralschema.Structural, validators, field.ErrorList) {
	s, err := v.structural()
	if err != nil {
		return nil, validators{}, field.ErrorList{field.InternalError(nil, err)}
	}
	checks, err := v.validators()
	if err != nil {
		return nil, validators{}, field.ErrorList{field.InternalError(nil, err)}
	}
	return s, checks, nil
}

// listErrors are those of lists that are sets or maps, unless the object had such errors before.
func listErrors(s *structuralschema.Structural, u, before *unstructured.Unstructured) field.ErrorList {
	errs := listtype.ValidateListSetsAndMaps(nil, s, u.Object)
	if len(errs) > 0 && len(listtype.ValidateListSetsAndMaps(nil, s, before.Object)) > 0 {
		return nil
	}
	return errs
}

// testRules tests an object with its kind's CEL rules, within upstream's budget.
func (v *version) testRules(ctx context.Context, s *structuralschema.Structural, obj, old map[string]any, found field.ErrorList, how ...cel.Option) field.ErrorList {
	rules := v.rules()
	if rules == nil {
		return nil
	}
	for _, e := range found {
		switch e.Type {
		case field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid:
			return field.ErrorList{field.Invalid(nil, nil, notChecked)}
		}
	}
	var before any
	if old != nil {
		before = old
	}
	errs, _ := rules.Validate(ctx, nil, s, obj, before, celconfig.RuntimeCELCostBudget, how...)
	return errs
}

// validateScale checks the numbers that the scale subresource shows; those of spec where wanted.
func (v *version) validateScale(u *unstructured.Unstructured, spec bool) field.ErrorList {
	scale := v.scale()
	if scale == nil {
		return nil
	}
	var errs field.ErrorList
	if spec {
		errs = append(errs, validateReplicas(u, scale.SpecReplicasPath)...)
	}
	errs = append(errs, validateReplicas(u, scale.StatusReplicasPath)...)
	if p := scale.LabelSelectorPath; p != nil {
		if s, _, err := unstructured.NestedString(u.Object, split(*p)...); err != nil {
			errs = append(errs, field.Invalid(field.NewPath(*p), s, err.Error()))
		}
	}
	return errs
}

func validateReplicas(u *unstructured.Unstructured, path string) field.ErrorList {
	n, _, err := unstructured.NestedInt64(u.Object, split(path)...)
	switch at := field.NewPath(path); {
	case err != nil:
		return field.ErrorList{field.Invalid(at, n, err.Error())}
	case n < 0:
		return field.ErrorList{field.Invalid(at, n, "should be a non-negative integer")}
	case n > math.MaxInt32:
		return field.ErrorList{field.Invalid(at, n, "should be less than or equal to 2147483647")}
	}
	return nil
}

// split takes a simple JSON path, such as .spec.replicas, apart.
func split(path string) []string { return strings.Split(strings.TrimPrefix(path, "."), ".") }
