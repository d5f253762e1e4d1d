package crdvalidation

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

type schema = apiextensions.JSONSchemaProps

// maxDepth bounds how deep schemas nest. Upstream has no such bound; every check here costs depth times size.
const maxDepth = 128

// tooDeep refuses schemas that nest so deep that checking them would be an attack.
func tooDeep(crd *apiextensionsv1.CustomResourceDefinition) field.ErrorList {
	for i, v := range crd.Spec.Versions {
		if v.Schema != nil && deeper(v.Schema.OpenAPIV3Schema, maxDepth) {
			return field.ErrorList{field.Invalid(field.NewPath("spec", "versions").Index(i).Child("schema", "openAPIV3Schema"), "",
				fmt.Sprintf("must not nest deeper than %d levels", maxDepth))}
		}
	}
	return nil
}

func deeper(s *apiextensionsv1.JSONSchemaProps, than int) bool {
	if s == nil {
		return false
	}
	if than == 0 {
		return true
	}
	than--
	for _, m := range []map[string]apiextensionsv1.JSONSchemaProps{s.Properties, s.PatternProperties, s.Definitions} {
		for _, p := range m {
			if deeper(&p, than) {
				return true
			}
		}
	}
	for _, l := range [][]apiextensionsv1.JSONSchemaProps{s.AllOf, s.AnyOf, s.OneOf} {
		for i := range l {
			if deeper(&l[i], than) {
				return true
			}
		}
	}
	return deeper(s.Not, than) || s.Items != nil && deeper(s.Items.Schema, than) ||
		s.AdditionalProperties != nil && deeper(s.AdditionalProperties.Schema, than) ||
		s.AdditionalItems != nil && deeper(s.AdditionalItems.Schema, than)
}

// atRoot are the fields that a schema's root may have where the status is checked by its part of the schema alone.
var atRoot = [...]string{"Description", "Type", "Format", "Title", "Maximum", "ExclusiveMaximum", "Minimum", "ExclusiveMinimum",
	"MaxLength", "MinLength", "Pattern", "MaxItems", "MinItems", "UniqueItems", "MultipleOf", "Required", "Items", "Properties",
	"ExternalDocs", "Example", "XPreserveUnknownFields", "XValidations"}

func validateValidation(v *apiextensions.CustomResourceValidation, status bool, at *field.Path) field.ErrorList {
	if v == nil || v.OpenAPIV3Schema == nil {
		return nil
	}
	s, here := v.OpenAPIV3Schema, at.Child("openAPIV3Schema")
	var errs field.ErrorList
	if status {
		errs = append(errs, validateRoot(s, at)...)
	}
	if s.Nullable {
		errs = append(errs, field.Forbidden(at.Child("openAPIV3Schema.nullable"), "nullable cannot be true at the root"))
	}
	w := &walk{}
	structural, err := structuralschema.NewStructural(s)
	if err == nil {
		wrong := structuralschema.ValidateStructural(here, structural)
		if len(wrong) == 0 {
			if wrong, err = defaulting.ValidateDefaults(ctx(), here, structural, true, true); err != nil {
				wrong, err = field.ErrorList{field.Invalid(here, "", err.Error())}, nil
			}
		}
		if errs = append(errs, wrong...); len(wrong) == 0 {
			w.rules = rootRules(s)
		}
	}
	w.visit(s, here, place{root: true, rules: w.rules})
	errs = append(errs, w.schema...)
	errs = append(errs, w.cel...)
	if err != nil && len(errs) == 0 {
		errs = append(errs, field.Invalid(here, "", err.Error()))
	}
	if w.rules != nil {
		errs = append(errs, w.rules.total.tooMuch(here)...)
	}
	if len(errs) == 0 {
		if _, _, err := validation.NewSchemaValidator(s); err != nil {
			errs = append(errs, field.Invalid(at, "", fmt.Sprintf("error building validator: %v", err)))
		}
	}
	return errs
}

func validateRoot(s *schema, at *field.Path) field.ErrorList {
	v := reflect.ValueOf(s).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		switch {
		case v.Field(i).IsZero():
		case name == "Type":
			if s.Type != "object" {
				return field.ErrorList{field.Invalid(at.Child("openAPIV3Schema.type"), s.Type, `only "object" is allowed as the type at the root of the schema if the status subresource is enabled`)}
			}
		case !slices.Contains(atRoot[:], name):
			return field.ErrorList{field.Invalid(at.Child("openAPIV3Schema"), *s, fmt.Sprintf("only %v fields are allowed at the root of the schema if the status subresource is enabled", atRoot))}
		}
	}
	return nil
}

// walk goes through a schema. Faults of the schema and of its rules are kept apart: rules are not looked at where the
// schema itself is wrong.
type walk struct {
	rules       *rules
	schema, cel field.ErrorList
}

// place is where in a schema one part of it stands.
type place struct {
	root, metadata bool
	noDefaults     string      // why defaults are forbidden, "" where they are not
	uncorrelated   *field.Path // the highest part in which old and new values cannot be told to belong together
	rules          *rules      // nil where rules are not looked at
}

func (p place) below(rules *rules) place {
	p.root, p.rules = false, rules
	return p
}

func (p place) without(defaults string) place {
	p.noDefaults = defaults
	return p
}

func (p place) apart(at *field.Path) place {
	if p.uncorrelated == nil {
		p.uncorrelated = at
	}
	return p
}

func (w *walk) wrong(errs ...*field.Error) { w.schema = append(w.schema, errs...) }

func (w *walk) visit(s *schema, at *field.Path, p place) {
	if s == nil {
		return
	}
	before := len(w.schema)
	w.standard(s, at, p)
	if s.UniqueItems {
		w.wrong(field.Forbidden(at.Child("uniqueItems"), "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"))
	}
	if a := s.AdditionalProperties; a != nil {
		if len(s.Properties) != 0 && (!a.Allows || a.Schema != nil) {
			w.wrong(field.Forbidden(at.Child("additionalProperties"), "additionalProperties and properties are mutual exclusive"))
		}
		inner := p
		if p.metadata {
			inner = p.without("inside additionalProperties applying to object metadata")
		}
		w.visit(a.Schema, at.Child("additionalProperties"), inner.below(p.rules.values(a.Schema)))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		property, inner := s.Properties[name], p
		if !cel.MapIsCorrelatable(s.XMapType) {
			inner = inner.apart(at)
		}
		if (p.root || s.XEmbeddedResource) && (name == "metadata" || name == "kind" || name == "apiVersion") {
			inner.metadata = true
			if p.root {
				inner = inner.without("in top-level " + name)
			}
		}
		w.visit(&property, at.Child("properties").Key(name), inner.below(p.rules.property(&property, name)))
	}
	w.visit(s.Not, at.Child("not"), p.below(nil))
	for _, junctor := range []struct {
		name string
		list []schema
	}{{"allOf", s.AllOf}, {"oneOf", s.OneOf}, {"anyOf", s.AnyOf}} {
		for i := range junctor.list {
			w.visit(&junctor.list[i], at.Child(junctor.name).Index(i), p.below(nil))
		}
	}
	if s.Items != nil {
		inner := p
		if s.XListType == nil || *s.XListType != "map" {
			inner = inner.apart(at)
		}
		w.visit(s.Items.Schema, at.Child("items"), inner.below(p.rules.items(s.Items.Schema)))
	}
	w.extensions(s, at)
	w.list(s, at)
	w.ruleTexts(s, at)
	if len(s.XValidations) > 0 && len(w.schema) == before && p.rules != nil {
		w.cel = append(w.cel, p.rules.compile(s, at, p.uncorrelated)...)
	}
}

// standard is what OpenAPI has and Kubernetes has not.
func (w *walk) standard(s *schema, at *field.Path, p place) {
	types := []string{"array", "boolean", "integer", "number", "object", "string"}
	if s.Type != "" && !slices.Contains(types, s.Type) {
		w.wrong(field.NotSupported(at.Child("type"), s.Type, types))
	}
	if s.Default != nil && p.noDefaults != "" {
		w.wrong(field.Forbidden(at.Child("default"), "must not be set "+p.noDefaults))
	}
	for _, f := range []struct {
		name string
		used bool
	}{
		{"id", s.ID != ""}, {"additionalItems", s.AdditionalItems != nil}, {"patternProperties", len(s.PatternProperties) != 0},
		{"definitions", len(s.Definitions) != 0}, {"dependencies", s.Dependencies != nil}, {"$ref", s.Ref != nil},
	} {
		if f.used {
			w.wrong(field.Forbidden(at.Child(f.name), f.name+" is not supported"))
		}
	}
	if s.Type == "null" {
		w.wrong(field.Forbidden(at.Child("type"), "type cannot be set to null, use nullable as an alternative"))
	}
	if s.Items != nil && len(s.Items.JSONSchemas) != 0 {
		w.wrong(field.Forbidden(at.Child("items"), "items must be a schema object and not an array"))
	}
	if p.metadata && s.XEmbeddedResource {
		w.wrong(field.Forbidden(at.Child("x-kubernetes-embedded-resource"), "must not be used inside of resource meta"))
	}
}

// ofType reports a schema that is not of the type that an extension needs.
func (w *walk) ofType(s *schema, at *field.Path, want, because string) bool {
	switch s.Type {
	case want:
		return true
	case "":
		w.wrong(field.Required(at.Child("type"), "must be "+want+" if "+because+" is specified"))
	default:
		w.wrong(field.Invalid(at.Child("type"), s.Type, "must be "+want+" if "+because+" is specified"))
	}
	return false
}

func (w *walk) extensions(s *schema, at *field.Path) {
	if s.XPreserveUnknownFields != nil && !*s.XPreserveUnknownFields {
		w.wrong(field.Invalid(at.Child("x-kubernetes-preserve-unknown-fields"), *s.XPreserveUnknownFields, "must be true or undefined"))
	}
	if s.XMapType != nil {
		w.ofType(s, at, "object", "x-kubernetes-map-type")
		if *s.XMapType != "atomic" && *s.XMapType != "granular" {
			w.wrong(field.NotSupported(at.Child("x-kubernetes-map-type"), *s.XMapType, []string{"atomic", "granular"}))
		}
	}
}

func (w *walk) list(s *schema, at *field.Path) {
	if s.XListType != nil {
		if w.ofType(s, at, "array", "x-kubernetes-list-type") && *s.XListType == "set" && s.Items != nil && s.Items.Schema != nil {
			item := s.Items.Schema
			const atomic = "must be atomic as item of a list with x-kubernetes-list-type=set"
			switch {
			case item.Type == "array" && item.XListType != nil && *item.XListType != "atomic":
				w.wrong(field.Invalid(at.Child("items", "x-kubernetes-list-type"), item.XListType, atomic))
			case item.Type == "object" && (item.XMapType == nil || *item.XMapType != "atomic"):
				w.wrong(field.Invalid(at.Child("items", "x-kubernetes-map-type"), item.XListType, atomic))
			}
		}
		if !slices.Contains([]string{"atomic", "set", "map"}, *s.XListType) {
			w.wrong(field.NotSupported(at.Child("x-kubernetes-list-type"), *s.XListType, []string{"atomic", "set", "map"}))
		}
	}
	if len(s.XListMapKeys) > 0 {
		if s.XListType == nil {
			w.wrong(field.Required(at.Child("x-kubernetes-list-type"), "must be map if x-kubernetes-list-map-keys is non-empty"))
		} else if *s.XListType != "map" {
			w.wrong(field.Invalid(at.Child("x-kubernetes-list-type"), *s.XListType, "must be map if x-kubernetes-list-map-keys is non-empty"))
		}
	}
	if s.XListType != nil && *s.XListType == "map" {
		w.mapKeys(s, at)
	}
	if s.XListType != nil && (*s.XListType == "map" || *s.XListType == "set") && s.Items != nil && s.Items.Schema != nil && s.Items.Schema.Nullable {
		w.wrong(field.Forbidden(at.Child("items", "nullable"), "cannot be nullable when x-kubernetes-list-type is "+*s.XListType))
	}
}

// mapKeys checks a list whose items are told apart by some of their fields.
func (w *walk) mapKeys(s *schema, at *field.Path) {
	keys := at.Child("x-kubernetes-list-map-keys")
	if len(s.XListMapKeys) == 0 {
		w.wrong(field.Required(keys, "must not be empty if x-kubernetes-list-type is map"))
	}
	switch {
	case s.Items == nil:
		w.wrong(field.Required(at.Child("items"), "must have a schema if x-kubernetes-list-type is map"))
		return
	case s.Items.Schema == nil:
		w.wrong(field.Invalid(at.Child("items"), s.Items, "must only have a single schema if x-kubernetes-list-type is map"))
		return
	case s.Items.Schema.Type != "object":
		w.wrong(field.Invalid(at.Child("items", "type"), s.Items.Schema.Type, "must be object if parent array's x-kubernetes-list-type is map"))
		return
	}
	item := s.Items.Schema
	seen := map[string]bool{}
	for _, k := range s.XListMapKeys {
		if seen[k] {
			w.wrong(field.Invalid(keys, s.XListMapKeys, "must not contain duplicate entries"))
		}
		seen[k] = true
		p, ok := item.Properties[k]
		here := at.Child("items", "properties").Key(k)
		if !ok {
			w.wrong(field.Invalid(keys, s.XListMapKeys, "entries must all be names of item properties"))
			continue
		}
		if p.Type == "array" || p.Type == "object" {
			w.wrong(field.Invalid(here.Child("type"), item.Type, "must be a scalar type if parent array's x-kubernetes-list-type is map"))
		}
		if !slices.Contains(item.Required, k) && p.Default == nil {
			w.wrong(field.Required(here.Child("default"), "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"))
		}
		if p.Nullable {
			w.wrong(field.Forbidden(here.Child("nullable"), "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"))
		}
	}
}
