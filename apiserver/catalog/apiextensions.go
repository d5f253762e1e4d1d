package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	schemavalidation "k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

func apiextensionsKinds() []*Kind {
	gv := apiextensionsv1.SchemeGroupVersion
	return []*Kind{
		row[apiextensionsv1.CustomResourceDefinition, apiextensionsv1.CustomResourceDefinitionList](gv, Kind{
			Resource:     "customresourcedefinitions",
			ShortNames:   []string{"crd", "crds"},
			Categories:   inExtensions(),
			Subresources: onlyStatus(),
			Strategy: Strategy{
				Default:              on(defaultDefinition),
				PrepareForCreate:     on(prepareDefinition),
				PrepareForUpdate:     onChange(prepareDefinitionChange),
				Validate:             check(validateDefinition),
				Revalidate:           checkChange(validateDefinitionChange),
				ValidateStatusUpdate: checkChange(validateDefinitionStatus),
				Warnings:             warnings(definitionWarnings),
				Generation:           true,
				RequireVersion:       true,
			},
			Table: table(definitionCells,
				nameColumn(),
				column("Scope", "string", "Cluster/Namespaced"),
				column("Versions", "string", "Served versions"),
				column("Created At", "date", metav1.ObjectMeta{}.SwaggerDoc()["creationTimestamp"]),
				wide("Group", "string", "API group"),
				wide("Kind", "string", "CustomResource kind"),
				wide("ShortNames", "string", "Short names"),
				wide("Established", "boolean", "Established status")),
		}),
	}
}

type definition = apiextensionsv1.CustomResourceDefinition

func defaultDefinition(d *definition) {
	names := &d.Spec.Names
	setDefaultValue(&names.Singular, strings.ToLower(names.Kind))
	if names.Kind != "" {
		setDefaultValue(&names.ListKind, names.Kind+"List")
	}
	setDefault(&d.Spec.Conversion, apiextensionsv1.CustomResourceConversion{Strategy: apiextensionsv1.NoneConverter})
	if w := d.Spec.Conversion.Webhook; w != nil && w.ClientConfig != nil && w.ClientConfig.Service != nil {
		setDefault(&w.ClientConfig.Service.Port, 443)
	}
	if len(d.Status.StoredVersions) == 0 {
		addStoredVersion(d)
	}
}

func prepareDefinition(d *definition) {
	d.Status = apiextensionsv1.CustomResourceDefinitionStatus{}
	addStoredVersion(d)
}

func prepareDefinitionChange(d, _ *definition) { addStoredVersion(d) }

// addStoredVersion remembers that objects may be kept in the version that is now stored. Versions leave the list
// only when their objects have been migrated.
func addStoredVersion(d *definition) {
	for _, v := range d.Spec.Versions {
		if !v.Storage {
			continue
		}
		if !slices.Contains(d.Status.StoredVersions, v.Name) {
			d.Status.StoredVersions = append(slices.Clone(d.Status.StoredVersions), v.Name)
		}
		return
	}
}

// Kubernetes publishes the checks of definitions, for its internal type: structural schemas (KEP-1693) and CEL
// rules (KEP-2876) are more than we would repeat.

func validateDefinition(d *definition) errorList {
	internal, err := internalDefinition(d)
	if err != nil {
		return err
	}
	return crdvalidation.ValidateCustomResourceDefinition(context.Background(), internal)
}

func validateDefinitionChange(d, old *definition) errorList {
	return compareDefinitions(d, old, crdvalidation.ValidateCustomResourceDefinitionUpdate)
}

func validateDefinitionStatus(d, old *definition) errorList {
	return compareDefinitions(d, old, crdvalidation.ValidateUpdateCustomResourceDefinitionStatus)
}

func compareDefinitions(d, old *definition, compare func(ctx context.Context, d, old *apiextensions.CustomResourceDefinition) field.ErrorList) errorList {
	now, err := internalDefinition(d)
	if err != nil {
		return err
	}
	before, err := internalDefinition(old)
	if err != nil {
		return err
	}
	return compare(context.Background(), now, before)
}

// internalDefinition fails on what is no JSON in a schema's defaults, enums and examples.
func internalDefinition(d *definition) (*apiextensions.CustomResourceDefinition, errorList) {
	internal := &apiextensions.CustomResourceDefinition{}
	if err := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(d.DeepCopy(), internal, nil); err != nil {
		return nil, errorList{field.Invalid(field.NewPath("spec"), field.OmitValueType{}, err.Error())}
	}
	return internal, nil
}

// definitionWarnings are about formats that nobody checks and lists that server-side apply cannot merge, unless
// the definition had them before.
func definitionWarnings(d, old *definition) []string {
	texts := schemaWarnings(d)
	if old == nil {
		return texts
	}
	before := schemaWarnings(old)
	return slices.DeleteFunc(texts, func(text string) bool { return slices.Contains(before, text) })
}

func schemaWarnings(d *definition) []string {
	internal, errs := internalDefinition(d)
	if errs != nil {
		return nil
	}
	var formats, lists []string
	crdvalidation.HasSchemaWith(&internal.Spec, func(s *apiextensions.JSONSchemaProps) bool {
		return crdvalidation.SchemaHas(s, func(s *apiextensions.JSONSchemaProps) bool {
			for _, format := range schemavalidation.GetUnrecognizedFormats(formatOf(s), environment.DefaultCompatibilityVersion()) {
				formats = append(formats, fmt.Sprintf("unrecognized format %q", format))
			}
			if text := listWarning(s); text != "" {
				lists = append(lists, text)
			}
			return false
		})
	})
	slices.Sort(lists)
	return append(formats, slices.Compact(lists)...)
}

// formatOf is as much of a schema as decides what its format means.
func formatOf(s *apiextensions.JSONSchemaProps) *spec.Schema {
	return &spec.Schema{SchemaProps: spec.SchemaProps{Format: s.Format, Type: []string{s.Type}}}
}

func listWarning(s *apiextensions.JSONSchemaProps) string {
	if value(s.XListType) != "set" || s.Items == nil || s.Items.Schema == nil {
		return ""
	}
	if t := s.Items.Schema.Type; t == "object" || t == "array" {
		return fmt.Sprintf("x-kubernetes-list-type: set for items of type %q is not supported by server-side apply or CEL validation rules", t)
	}
	return ""
}

func definitionCells(d *definition, _ time.Time) []any {
	var versions []string
	for _, v := range d.Spec.Versions {
		switch {
		case v.Served && v.Storage:
			versions = append(versions, v.Name+"(storage)")
		case v.Served:
			versions = append(versions, v.Name)
		}
	}
	slices.Sort(versions)
	established := slices.ContainsFunc(d.Status.Conditions, func(c apiextensionsv1.CustomResourceDefinitionCondition) bool {
		return c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue
	})
	return []any{d.Name, string(d.Spec.Scope), strings.Join(versions, ","), d.CreationTimestamp.UTC().Format(time.RFC3339),
		d.Spec.Group, d.Spec.Names.Kind, strings.Join(d.Spec.Names.ShortNames, ","), established}
}
