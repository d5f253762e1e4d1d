package catalog

import (
	"slices"
	"strings"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"coracle/apiserver/crdvalidation"
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
				Default:          on(defaultDefinition),
				PrepareForCreate: on(prepareDefinition),
				PrepareForUpdate: onChange(prepareDefinitionChange),
				ChecksMetadata:   true,
				Validate:         func(obj runtime.Object) errorList { return crdvalidation.Validate(obj.(*definition)) },
				Revalidate: func(obj, old runtime.Object) errorList {
					return crdvalidation.ValidateChange(obj.(*definition), old.(*definition))
				},
				ValidateStatusUpdate: func(obj, _ runtime.Object) errorList { return crdvalidation.ValidateStatus(obj.(*definition)) },
				Warnings:             warnings(func(d, old *definition, _ *field.Path) []string { return crdvalidation.Warnings(d, old) }),
				Generation:           true,
				RequireVersion:       true,
				Repeats:              true,
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
