package customresource

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	kubeversion "k8s.io/apimachinery/pkg/version"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"coracle/apiserver/callout"
	"coracle/apiserver/catalog"
)

// definition is one CustomResourceDefinition as it is served. It does not change: another state of the object is
// another definition.
type definition struct {
	crd      *apiextensionsv1.CustomResourceDefinition
	group    string
	names    apiextensionsv1.CustomResourceDefinitionNames // accepted
	storage  string
	versions map[string]*version
	webhook  *webhook // nil: versions differ in nothing but their name
	types    func() (managedfields.TypeConverter, error)
	hash     string

	rows     []*catalog.Kind // empty while it is not served
	writing  *sync.RWMutex   // of all states of one object
	replaced chan struct{}
}

func newDefinition(crd *apiextensionsv1.CustomResourceDefinition, writing *sync.RWMutex, dial callout.DialService, now func() time.Time) *definition {
	d := &definition{
		crd: crd, group: crd.Spec.Group, names: crd.Status.AcceptedNames,
		versions: map[string]*version{}, writing: writing, replaced: make(chan struct{}), hash: hashOf(crd),
	}
	for _, v := range crd.Spec.Versions {
		d.versions[v.Name] = newVersion(v)
		if v.Storage {
			d.storage = v.Name
		}
	}
	if isWebhook(crd.Spec.Conversion) {
		d.webhook = newWebhook(crd.Spec.Conversion.Webhook, dial, now)
	}
	d.types = sync.OnceValues(d.typeConverter)
	if accepted(crd) && d.versions[d.storage] != nil {
		for _, v := range d.versions {
			if v.Served {
				d.rows = append(d.rows, d.row(v))
			}
		}
		slices.SortFunc(d.rows, compareRows)
	}
	return d
}

// accepted tells whether a definition is to be served.
func accepted(crd *apiextensionsv1.CustomResourceDefinition) bool {
	n := crd.Status.AcceptedNames
	return (isTrue(crd, apiextensionsv1.NamesAccepted) || isTrue(crd, apiextensionsv1.Established)) &&
		n.Plural != "" && n.Singular != "" && n.Kind != "" && n.ListKind != ""
}

// hashOf changes with all that rows are made from.
func hashOf(crd *apiextensionsv1.CustomResourceDefinition) string {
	b, err := json.Marshal([]any{crd.UID, crd.Spec, crd.Status.AcceptedNames, accepted(crd), crd.DeletionTimestamp != nil})
	if err != nil {
		return crd.ResourceVersion
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))
}

func (d *definition) kind(v *version) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: d.group, Version: v.Name, Kind: d.names.Kind}
}

func (d *definition) resource() schema.GroupResource {
	return schema.GroupResource{Group: d.group, Resource: d.crd.Spec.Names.Plural}
}

// row is one version as the catalog has it.
func (d *definition) row(v *version) *catalog.Kind {
	gvk := d.kind(v)
	list := gvk.GroupVersion().WithKind(d.names.ListKind)
	k := &catalog.Kind{
		GroupVersionKind: gvk,
		Resource:         d.names.Plural,
		Singular:         d.names.Singular,
		ShortNames:       d.names.ShortNames,
		Categories:       d.names.Categories,
		Namespaced:       d.crd.Spec.Scope == apiextensionsv1.NamespaceScoped,
		Verbs:            []string{"delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"},
		New:              func() runtime.Object { return empty(gvk) },
		NewList: func() runtime.Object {
			l := &unstructured.UnstructuredList{Object: map[string]any{}}
			l.SetGroupVersionKind(list)
			return l
		},
		ToStored:   d.save,
		FromStored: func(obj runtime.Object) (runtime.Object, error) { return d.load(obj, v) },
		SchemaHash: d.hash,
		Strategy:   v.strategy(),
		Table:      v.table(),
		Custom: &catalog.Custom{
			StorageVersion: d.storage,
			Coerce: func(obj runtime.Object, report bool) ([]string, error) {
				u, ok := obj.(*unstructured.Unstructured)
				if !ok {
					return nil, fmt.Errorf("%T is no custom resource", obj)
				}
				return v.coerce(u, coercion{report: report})
			},
			Schema:      func(v2 bool) *spec.Schema { return v.openAPI(gvk, v2) },
			Types:       d.types,
			Managers:    d.managers(v),
			Scale:       v.scale(),
			Terminating: d.crd.DeletionTimestamp != nil,
			Deprecation: d.deprecation(v),
			Replaced:    d.replaced,
			Writing:     d.writing,
		},
	}
	k.FieldNames, k.Fields = v.selectable()
	verbs := []string{"get", "patch", "update"}
	if v.hasStatus() {
		k.Subresources = append(k.Subresources, catalog.Subresource{Name: "status", Kind: gvk, Verbs: verbs, New: k.New})
	}
	if v.scale() != nil {
		k.Subresources = append(k.Subresources, catalog.Subresource{
			Name: "scale", Kind: autoscalingv1.SchemeGroupVersion.WithKind("Scale"), Verbs: verbs,
			New: func() runtime.Object { return &autoscalingv1.Scale{} },
		})
	}
	return k
}

// managers makes each field manager of a version when it is first needed.
func (d *definition) managers(v *version) func(string) (*managedfields.FieldManager, error) {
	made := map[string]func() (*managedfields.FieldManager, error){}
	for _, sub := range []string{"", "status", "scale"} {
		made[sub] = sync.OnceValues(func() (*managedfields.FieldManager, error) { return d.manager(v, sub) })
	}
	return func(sub string) (*managedfields.FieldManager, error) {
		one, ok := made[sub]
		if !ok {
			return nil, fmt.Errorf("%s has no subresource %s", d.crd.Name, sub)
		}
		return one()
	}
}

// deprecation is the warning of a version that is on its way out: the definition's own, or one that names the newest
// version that is not.
func (d *definition) deprecation(v *version) string {
	switch {
	case !v.Deprecated:
		return ""
	case v.DeprecationWarning != nil:
		return *v.DeprecationWarning
	}
	text, newest := fmt.Sprintf("%s %s is deprecated", d.kind(v).GroupVersion(), d.crd.Spec.Names.Kind), ""
	for _, other := range d.versions {
		if other.Served && !other.Deprecated && kubeversion.CompareKubeAwareVersionStrings(v.Name, other.Name) < 0 &&
			(newest == "" || kubeversion.CompareKubeAwareVersionStrings(other.Name, newest) > 0) {
			newest = other.Name
		}
	}
	if newest != "" {
		text += fmt.Sprintf("; use %s/%s %s", d.group, newest, d.crd.Spec.Names.Kind)
	}
	return text
}

// compareRows orders rows as discovery lists them: by group, the best version first.
func compareRows(a, b *catalog.Kind) int {
	return cmp.Or(cmp.Compare(a.Group, b.Group), kubeversion.CompareKubeAwareVersionStrings(b.Version, a.Version), cmp.Compare(a.Resource, b.Resource))
}
