package crdvalidation

import (
	"context"
	"fmt"
	"strings"
	"unicode"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

type definition = apiextensions.CustomResourceDefinition

// Metadata checks a new definition's metadata. Its name is made of what the definition says.
func Metadata(crd *apiextensionsv1.CustomResourceDefinition) field.ErrorList {
	return apivalidation.ValidateObjectMeta(&crd.ObjectMeta, false, func(name string, prefix bool) []string {
		wrong := apivalidation.NameIsDNSSubdomain(name, prefix)
		if name != crd.Spec.Names.Plural+"."+crd.Spec.Group {
			wrong = append(wrong, `must be spec.names.plural+"."+spec.group`)
		}
		return wrong
	}, field.NewPath("metadata"))
}

// Validate checks a new definition.
func Validate(crd *apiextensionsv1.CustomResourceDefinition) field.ErrorList {
	return append(Metadata(crd), validate(crd, nil)...)
}

// ValidateChange checks what a change makes of a definition.
func ValidateChange(crd, old *apiextensionsv1.CustomResourceDefinition) field.ErrorList {
	return validate(crd, old)
}

// validateFixed checks that what is fixed has not changed.
func validateFixed(s, old *apiextensionsv1.CustomResourceDefinitionSpec, established bool, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if established {
		errs = append(errs, apivalidation.ValidateImmutableField(s.Scope, old.Scope, at.Child("scope"))...)
		errs = append(errs, apivalidation.ValidateImmutableField(s.Names.Kind, old.Names.Kind, at.Child("names", "kind"))...)
	}
	errs = append(errs, apivalidation.ValidateImmutableField(s.Group, old.Group, at.Child("group"))...)
	return append(errs, apivalidation.ValidateImmutableField(s.Names.Plural, old.Names.Plural, at.Child("names", "plural"))...)
}

// ValidateStatus checks a change of the status.
func ValidateStatus(crd *apiextensionsv1.CustomResourceDefinition) field.ErrorList {
	internal, err := internalForm(crd)
	if err != nil {
		return field.ErrorList{field.InternalError(nil, err)}
	}
	return validateNames(&internal.Status.AcceptedNames, field.NewPath("status", "acceptedNames"))
}

func internalForm(crd *apiextensionsv1.CustomResourceDefinition) (*definition, error) {
	out := &definition{}
	err := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(crd.DeepCopy(), out, nil)
	return out, err
}

func isEstablished(crd *apiextensionsv1.CustomResourceDefinition) bool {
	for _, c := range crd.Status.Conditions {
		if c.Type == apiextensionsv1.Established {
			return c.Status == apiextensionsv1.ConditionTrue
		}
	}
	return false
}

func validate(crd, old *apiextensionsv1.CustomResourceDefinition) field.ErrorList {
	if errs := tooDeep(crd); errs != nil {
		return errs
	}
	internal, err := internalForm(crd)
	if err != nil {
		return field.ErrorList{field.InternalError(nil, err)}
	}
	errs := validateSpec(&internal.Spec, old == nil || !isEstablished(old), field.NewPath("spec"))
	if old != nil {
		errs = append(errs, validateFixed(&crd.Spec, &old.Spec, isEstablished(old), field.NewPath("spec"))...)
	}
	errs = append(errs, validateStoredVersions(internal, field.NewPath("status", "storedVersions"))...)
	errs = append(errs, validateApproval(crd, old)...)
	if crd.Spec.PreserveUnknownFields && (old == nil || !old.Spec.PreserveUnknownFields) {
		errs = append(errs, field.Invalid(field.NewPath("spec", "preserveUnknownFields"), true,
			"cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"))
	}
	return errs
}

func validateApproval(crd, old *apiextensionsv1.CustomResourceDefinition) field.ErrorList {
	if !Protected(crd.Spec.Group) {
		return nil
	}
	state, reason := ApprovalOf(crd.Annotations)
	if old != nil {
		if before, _ := ApprovalOf(old.Annotations); before == state {
			return nil
		}
	}
	at := field.NewPath("metadata", "annotations").Key(apiextensionsv1.KubeAPIApprovedAnnotation)
	switch state {
	case Invalid:
		return field.ErrorList{field.Invalid(at, crd.Annotations[apiextensionsv1.KubeAPIApprovedAnnotation], reason)}
	case Missing:
		return field.ErrorList{field.Required(at, reason)}
	}
	return nil
}

func validateStoredVersions(crd *definition, at *field.Path) field.ErrorList {
	stored := crd.Status.StoredVersions
	if len(stored) == 0 {
		return field.ErrorList{field.Invalid(at, stored, "must have at least one stored version")}
	}
	var errs field.ErrorList
	known := sets.Set[string]{}
	for _, v := range crd.Spec.Versions {
		known.Insert(v.Name)
		if v.Storage && !sets.New(stored...).Has(v.Name) {
			errs = append(errs, field.Invalid(at, stored, "must have the storage version "+v.Name))
		}
	}
	for i, v := range stored {
		if !known.Has(v) {
			errs = append(errs, field.Invalid(at.Index(i), v, fmt.Sprintf("missing from spec.versions; %[1]s was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in %[1]s and removes %[1]s from status.storedVersions", v)))
		}
	}
	return errs
}

// validateSpec checks a specification in upstream's internal form, in which what all versions have alike stands above
// them: errors name its paths. fresh tells that the definition has not been established yet.
func validateSpec(spec *apiextensions.CustomResourceDefinitionSpec, fresh bool, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if spec.Group == "" {
		errs = append(errs, field.Required(at.Child("group"), ""))
	} else if wrong := validation.IsDNS1123Subdomain(spec.Group); len(wrong) > 0 {
		errs = append(errs, field.Invalid(at.Child("group"), spec.Group, strings.Join(wrong, ",")))
	} else if !strings.Contains(spec.Group, ".") {
		errs = append(errs, field.Invalid(at.Child("group"), spec.Group, "should be a domain with at least one dot"))
	}
	errs = append(errs, neededOneOf(at.Child("scope"), string(spec.Scope), "Cluster", "Namespaced")...)
	if spec.Validation == nil || spec.Validation.OpenAPIV3Schema == nil {
		for i, v := range spec.Versions {
			if v.Schema == nil || v.Schema.OpenAPIV3Schema == nil {
				errs = append(errs, field.Required(at.Child("versions").Index(i).Child("schema", "openAPIV3Schema"), ""))
			}
		}
	}
	errs = append(errs, validateVersions(spec, at)...)
	if wrong := validation.IsDNS1035Label(spec.Version); spec.Version != "" && len(wrong) > 0 {
		errs = append(errs, field.Invalid(at.Child("version"), spec.Version, strings.Join(wrong, ",")))
	}
	for _, name := range []struct{ field, value string }{
		{"plural", spec.Names.Plural}, {"singular", spec.Names.Singular}, {"kind", spec.Names.Kind}, {"listKind", spec.Names.ListKind},
	} {
		if name.value == "" {
			errs = append(errs, field.Required(at.Child("names", name.field), ""))
		}
	}
	errs = append(errs, validateNames(&spec.Names, at.Child("names"))...)
	anyStatus := hasStatus(spec.Subresources)
	for _, v := range spec.Versions {
		anyStatus = anyStatus || hasStatus(v.Subresources)
	}
	errs = append(errs, validateValidation(spec.Validation, anyStatus, at.Child("validation"))...)
	errs = append(errs, validateSubresources(spec.Subresources, at.Child("subresources"))...)
	errs = append(errs, validateColumns(spec.AdditionalPrinterColumns, at.Child("additionalPrinterColumns"))...)
	if len(spec.SelectableFields) > 0 && spec.Validation == nil {
		errs = append(errs, field.Invalid(at.Child("selectableFields"), "", "may only be set when validations.schema is included"))
	} else {
		errs = append(errs, validateSelectable(spec.SelectableFields, spec.Validation, at)...)
	}
	return append(errs, validateConversion(spec.Conversion, fresh, at.Child("conversion"))...)
}

func validateVersions(spec *apiextensions.CustomResourceDefinitionSpec, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	storage, names := 0, sets.Set[string]{}
	for i, v := range spec.Versions {
		if v.Storage {
			storage++
		}
		names.Insert(v.Name)
		here := at.Child("versions").Index(i)
		if wrong := validation.IsDNS1035Label(v.Name); len(wrong) > 0 {
			errs = append(errs, field.Invalid(here.Child("name"), v.Name, strings.Join(wrong, ",")))
		}
		sub := v.Subresources
		if sub == nil {
			sub = spec.Subresources
		}
		errs = append(errs, validateDeprecation(v.Deprecated, v.DeprecationWarning, here.Child("deprecationWarning"))...)
		errs = append(errs, validateValidation(v.Schema, hasStatus(sub), here.Child("schema"))...)
		errs = append(errs, validateSubresources(v.Subresources, here.Child("subresources"))...)
		errs = append(errs, validateColumns(v.AdditionalPrinterColumns, here.Child("additionalPrinterColumns"))...)
		errs = append(errs, validateSelectable(v.SelectableFields, v.Schema, here)...)
	}
	if names.Len() != len(spec.Versions) {
		errs = append(errs, field.Invalid(at.Child("versions"), spec.Versions, "must contain unique version names"))
	}
	if storage != 1 {
		errs = append(errs, field.Invalid(at.Child("versions"), spec.Versions, "must have exactly one version marked as storage version"))
	}
	return errs
}

func hasStatus(s *apiextensions.CustomResourceSubresources) bool { return s != nil && s.Status != nil }

func validateDeprecation(deprecated bool, warning *string, at *field.Path) field.ErrorList {
	var wrong []string
	switch {
	case warning == nil:
	case !deprecated:
		wrong = append(wrong, "can only be set for deprecated versions")
	case *warning == "":
		wrong = append(wrong, "must not be an empty string")
	default:
		if len(*warning) > 256 {
			wrong = append(wrong, "must be <= 256 characters long")
		}
		for i, r := range *warning {
			if !unicode.IsPrint(r) {
				wrong = append(wrong, fmt.Sprintf("must only contain printable UTF-8 characters; non-printable character found at index %d", i))
				break
			}
		}
	}
	var errs field.ErrorList
	for _, text := range wrong {
		errs = append(errs, field.Invalid(at, warning, text))
	}
	return errs
}

func validateNames(n *apiextensions.CustomResourceDefinitionNames, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	check := func(name, value, prefix string, at *field.Path) {
		if wrong := validation.IsDNS1035Label(value); name != "" && len(wrong) > 0 {
			errs = append(errs, field.Invalid(at, name, prefix+strings.Join(wrong, ",")))
		}
	}
	const mixed = "may have mixed case, but should otherwise match: "
	check(n.Plural, n.Plural, "", at.Child("plural"))
	check(n.Singular, n.Singular, "", at.Child("singular"))
	check(n.Kind, strings.ToLower(n.Kind), mixed, at.Child("kind"))
	check(n.ListKind, strings.ToLower(n.ListKind), mixed, at.Child("listKind"))
	for i, name := range n.ShortNames {
		if wrong := validation.IsDNS1035Label(name); len(wrong) > 0 {
			errs = append(errs, field.Invalid(at.Child("shortNames").Index(i), name, strings.Join(wrong, ",")))
		}
	}
	if n.Kind != "" && n.Kind == n.ListKind {
		errs = append(errs, field.Invalid(at.Child("listKind"), n.ListKind, "kind and listKind may not be the same"))
	}
	for i, name := range n.Categories {
		if wrong := validation.IsDNS1035Label(name); len(wrong) > 0 {
			errs = append(errs, field.Invalid(at.Child("categories").Index(i), name, strings.Join(wrong, ",")))
		}
	}
	return errs
}

func validateColumns(columns []apiextensions.CustomResourceColumnDefinition, at *field.Path) field.ErrorList {
	const types = "must be one of boolean,date,integer,number,string"
	var errs field.ErrorList
	for i, c := range columns {
		here := at.Index(i)
		if c.Name == "" {
			errs = append(errs, field.Required(here.Child("name"), ""))
		}
		if c.Type == "" {
			errs = append(errs, field.Required(here.Child("type"), types))
		} else if !sets.New("boolean", "date", "integer", "number", "string").Has(c.Type) {
			errs = append(errs, field.Invalid(here.Child("type"), c.Type, types))
		}
		formats := sets.New("int32", "int64", "float", "double", "byte", "date", "date-time", "password")
		if c.Format != "" && !formats.Has(c.Format) {
			errs = append(errs, field.Invalid(here.Child("format"), c.Format, "must be one of "+strings.Join(sets.List(formats), ",")))
		}
		if c.JSONPath == "" {
			errs = append(errs, field.Required(here.Child("JSONPath"), ""))
		} else {
			errs = append(errs, simplePath(c.JSONPath, here.Child("JSONPath"))...)
		}
	}
	return errs
}

func simplePath(path string, at *field.Path) field.ErrorList {
	if path[0] != '.' {
		return field.ErrorList{field.Invalid(at, path, "must be a simple json path starting with .")}
	}
	return nil
}

// validateSubresources checks that the numbers of the scale subresource are where they belong.
func validateSubresources(s *apiextensions.CustomResourceSubresources, at *field.Path) field.ErrorList {
	if s == nil || s.Scale == nil {
		return nil
	}
	var errs field.ErrorList
	under := func(path, name, where string, value any, roots ...string) {
		here := at.Child("scale." + name)
		if wrong := simplePath(path, here); wrong != nil {
			errs = append(errs, wrong...)
			return
		}
		for _, root := range roots {
			if strings.HasPrefix(path, root) {
				return
			}
		}
		errs = append(errs, field.Invalid(here, value, "should be a json path under "+where))
	}
	if p := s.Scale.SpecReplicasPath; p == "" {
		errs = append(errs, field.Required(at.Child("scale.specReplicasPath"), ""))
	} else {
		under(p, "specReplicasPath", ".spec", p, ".spec.")
	}
	if p := s.Scale.StatusReplicasPath; p == "" {
		errs = append(errs, field.Required(at.Child("scale.statusReplicasPath"), ""))
	} else {
		under(p, "statusReplicasPath", ".status", p, ".status.")
	}
	if p := s.Scale.LabelSelectorPath; p != nil && *p != "" {
		under(*p, "labelSelectorPath", "either .spec or .status", p, ".spec.", ".status.")
	}
	return errs
}

// maxSelectable is how many fields a version can be selected by.
const maxSelectable = 8

func validateSelectable(fields []apiextensions.SelectableField, v *apiextensions.CustomResourceValidation, at *field.Path) field.ErrorList {
	if len(fields) == 0 {
		return nil
	}
	here := at.Child("selectableFields")
	if v == nil || v.OpenAPIV3Schema == nil {
		return field.ErrorList{field.Invalid(here, "", "may only be set when `version.schema.openAPIV3Schema` is not included")}
	}
	schema, err := structuralschema.NewStructural(v.OpenAPIV3Schema)
	if err != nil {
		return field.ErrorList{field.Invalid(at.Child("schema.openAPIV3Schema"), "", err.Error())}
	}
	var errs field.ErrorList
	seen := sets.Set[string]{}
	for i, f := range fields {
		here := here.Index(i).Child("jsonPath")
		if f.JSONPath == "" {
			errs = append(errs, field.Required(here, ""))
			continue
		}
		path, found, err := cel.ValidFieldPath(f.JSONPath, schema, cel.WithFieldPathAllowArrayNotation(false))
		if err != nil {
			errs = append(errs, field.Invalid(here, f.JSONPath, fmt.Sprintf("is an invalid path: %v", err)))
			continue
		}
		if path.Root().String() == "metadata" {
			errs = append(errs, field.Invalid(here, f.JSONPath, "must not point to fields in metadata"))
		}
		if found == nil || found.Type != "string" && found.Type != "boolean" && found.Type != "integer" {
			errs = append(errs, field.Invalid(here, f.JSONPath, "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed."))
		}
		if seen.Has(path.String()) {
			errs = append(errs, field.Duplicate(here, f.JSONPath))
		}
		seen.Insert(path.String())
	}
	if seen.Len() > maxSelectable {
		errs = append(errs, field.TooMany(here, seen.Len(), maxSelectable))
	}
	return errs
}

// ctx is for what upstream's packages may cancel.
func ctx() context.Context { return context.Background() }

func neededOneOf(at *field.Path, value string, known ...string) field.ErrorList {
	switch {
	case value == "":
		return field.ErrorList{field.Required(at, "")}
	case !sets.New(known...).Has(value):
		return field.ErrorList{field.NotSupported(at, value, known)}
	}
	return nil
}
