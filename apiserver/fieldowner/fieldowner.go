// Package fieldowner keeps track of who set which field, and applies objects server-side.
//
// What managers own is found with less than upstream's own code (k8s.io/apimachinery/pkg/util/managedfields), which nearly all
// writes need not: compare.go goes through the old and the new object together, once, and fresh.go through one that is new; merge.go
// puts what is applied into an object where that is certain; set.go changes what managers own in the form in which it is written.
// Whatever these do not understand goes the long way, through managedfields, of which there is a manager per kind and subresource,
// built when it is first needed. Tests hold both ways to the same result.
//
// Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/
//
// Simplifications: a change is noted as well if the object holds something elsewhere that cannot be compared, such as an item
// without the key of its list, where upstream notes nothing; what managers own is not fitted to a schema that has changed since.
// Kinds that have a schema neither in client-go, nor in a CustomResourceDefinition, nor in the tags of their Go type are
// merged as the objects look, lists as a whole.
package fieldowner

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/applyconfigurations"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	smd "sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"coracle/apiserver/catalog"
	"coracle/apiserver/openapi"
	"coracle/apiserver/part"
)

// Owners makes field managers for the kinds of a scheme. Its methods may be called from many goroutines.
type Owners struct {
	scheme    *runtime.Scheme
	converter func() managedfields.TypeConverter

	mu       sync.Mutex
	managers map[string]*managedfields.FieldManager
	shapes   map[schema.GroupVersionKind]*shape // nil for a kind without a schema
}

// New returns the owners of a scheme's kinds.
func New(scheme *runtime.Scheme) *Owners {
	return &Owners{
		scheme: scheme,
		// Parsing client-go's schema takes tens of milliseconds: not before somebody needs it.
		converter: sync.OnceValue(func() managedfields.TypeConverter {
			return anyForm(applyconfigurations.NewTypeConverter(scheme), scheme)
		}),
		managers: map[string]*managedfields.FieldManager{},
		shapes:   map[schema.GroupVersionKind]*shape{},
	}
}

// anyForm lets whoever applies write a number or a name in any form at first, as kube-apiserver does, whose schema says of this type
// that it is one of two: that it can be neither is seen when the object is read.
func anyForm(c managedfields.TypeConverter, scheme *runtime.Scheme) managedfields.TypeConverter {
	t, err := c.ObjectToTyped(&corev1.ConfigMap{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}})
	if err != nil {
		return c
	}
	types := t.Schema().Types
	of := func(name string) int {
		return slices.IndexFunc(types, func(d smd.TypeDef) bool { return d.Name == name })
	}
	if i, any := of("io.k8s.apimachinery.pkg.util.intstr.IntOrString"), of("__untyped_deduced_"); i >= 0 && any >= 0 {
		types[i].Atom = types[any].Atom
	}
	return managedfields.NewSchemeTypeConverter(scheme, &typed.Parser{Schema: smd.Schema{Types: types}})
}

// Warm parses the schema now, so that the first write need not wait for it.
func (o *Owners) Warm() { o.converter() }

// Manager returns the manager of a kind, or of one of its subresources.
func (o *Owners) Manager(k *catalog.Kind, subresource string) (*managedfields.FieldManager, error) {
	if k.Custom != nil {
		return k.Custom.Managers(subresource)
	}
	key := k.GroupVersionKind.String() + "/" + subresource
	o.mu.Lock()
	defer o.mu.Unlock()
	if m, ok := o.managers[key]; ok {
		return m, nil
	}
	converter, err := o.Converter(k)
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", k.GroupVersionKind, err)
	}
	m, err := managedfields.NewDefaultFieldManager(converter, versions{ownless{o.scheme}, k}, noDefaults{}, creater{k}, k.GroupVersionKind, k.GroupVersion(), subresource, resets(k, subresource))
	if err != nil {
		return nil, fmt.Errorf("field manager of %s: %w", k.GroupVersionKind, err)
	}
	o.managers[key] = m
	return m, nil
}

// Converter returns the schema of a kind, by which its objects are merged.
func (o *Owners) Converter(k *catalog.Kind) (managedfields.TypeConverter, error) {
	switch {
	case k.Custom != nil:
		return k.Custom.Types()
	case described(k):
		return o.converter(), nil
	}
	return converterOf(k)
}

// converterOf is for kinds that client-go has no schema of: it is made of the Go type, where that says enough.
func converterOf(k *catalog.Kind) (managedfields.TypeConverter, error) {
	t := reflect.TypeOf(k.New()).Elem()
	if known := strings.HasPrefix(t.PkgPath(), "k8s.io/apiextensions-apiserver/") || strings.HasPrefix(t.PkgPath(), "k8s.io/kube-aggregator/"); !known {
		return managedfields.NewDeducedTypeConverter(), nil
	}
	models := openapi.Schemas(t)
	for name, s := range models {
		if strings.HasSuffix(name, "."+k.Kind) {
			s.AddExtension("x-kubernetes-group-version-kind", []any{map[string]any{"group": k.Group, "version": k.Version, "kind": k.Kind}})
		}
		// Conditions are merged by their type, which the types say in a comment alone.
		if p, ok := s.Properties["conditions"]; ok && strings.HasSuffix(name, k.Kind+"Status") {
			p.AddExtension("x-kubernetes-list-type", "map")
			p.AddExtension("x-kubernetes-list-map-keys", []any{"type"})
			s.Properties["conditions"] = p
		}
	}
	return managedfields.NewTypeConverter(models, false)
}

// described tells whether client-go has a schema of a kind.
func described(k *catalog.Kind) bool {
	return k.Custom == nil && strings.HasPrefix(reflect.TypeOf(k.New()).Elem().PkgPath(), "k8s.io/api/")
}

// shape is the schema of a kind, nil for one that has none.
func (o *Owners) shape(k *catalog.Kind) *shape {
	o.mu.Lock()
	defer o.mu.Unlock()
	s, known := o.shapes[k.GroupVersionKind]
	if !known && described(k) {
		empty := k.New()
		empty.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind)
		s, _ = shapeOf(o.converter(), empty) // a kind without a shape is compared the long way
	}
	if !known && k.Custom == nil {
		o.shapes[k.GroupVersionKind] = s
	}
	return s
}

// Scale returns the manager of the subresource scale, which all kinds that have it share. client-go has no schema of it; a
// Scale has no lists, and is merged as it looks.
func (o *Owners) Scale() (*managedfields.FieldManager, error) {
	scale := creater{&catalog.Kind{New: func() runtime.Object { return &autoscalingv1.Scale{} }}}
	kind := autoscalingv1.SchemeGroupVersion.WithKind("Scale")
	return managedfields.NewDefaultFieldManager(managedfields.NewDeducedTypeConverter(), o.scheme, noDefaults{}, scale, kind, kind.GroupVersion(), "scale", nil)
}

// resetPaths lead to the fields that a request's endpoint drops, which it therefore cannot own.
func resetPaths(k *catalog.Kind, subresource string) [][]string {
	if _, has := k.Subresource("status"); !has {
		return nil
	}
	switch subresource {
	case "":
		return append([][]string{{"status"}}, k.Strategy.Keeps...)
	case "status":
		paths := [][]string{{"spec"}}
		if k.Strategy.StatusKeepsMetadata {
			paths = append(paths, []string{"metadata"})
		}
		return append(paths, k.Strategy.StatusKeeps...)
	}
	return [][]string{{"status"}}
}

// resets are the same paths as managedfields takes them.
func resets(k *catalog.Kind, subresource string) map[fieldpath.APIVersion]fieldpath.Filter {
	paths := resetPaths(k, subresource)
	if paths == nil {
		return nil
	}
	set := fieldpath.NewSet()
	for _, path := range paths {
		set.Insert(pathOf(path))
	}
	return map[fieldpath.APIVersion]fieldpath.Filter{
		fieldpath.APIVersion(k.GroupVersion().String()): fieldpath.NewExcludeSetFilter(set),
	}
}

// ownless converts objects for a field manager, which has taken their owners out before and puts them back in behind, and meanwhile
// would compare them as if they were fields like others. An object of the right version need not be copied: nothing changes it.
type ownless struct{ *runtime.Scheme }

// ConvertToVersion implements runtime.ObjectConvertor.
func (o ownless) ConvertToVersion(in runtime.Object, to runtime.GroupVersioner) (runtime.Object, error) {
	kind := in.GetObjectKind().GroupVersionKind()
	v := reflect.ValueOf(in)
	gvk, ok := to.KindForGroupVersionKinds([]schema.GroupVersionKind{kind})
	if _, general := in.(runtime.Unstructured); general || !ok || gvk != kind || v.Kind() != reflect.Pointer {
		return o.Scheme.ConvertToVersion(in, to)
	}
	out := reflect.New(v.Elem().Type())
	out.Elem().Set(v.Elem())
	obj := out.Interface().(runtime.Object)
	if m, err := meta.Accessor(obj); err == nil {
		m.SetManagedFields(nil)
	}
	return obj, nil
}

// noDefaults: objects are defaulted where all objects are, by the catalog's rows.
type noDefaults struct{}

func (noDefaults) Default(runtime.Object) {}

// versions brings an object into another version that somebody owns fields of it in.
type versions struct {
	ownless
	kind *catalog.Kind
}

// ConvertToVersion is runtime.ObjectConvertor's.
func (v versions) ConvertToVersion(obj runtime.Object, to runtime.GroupVersioner) (runtime.Object, error) {
	gv, ok := to.(schema.GroupVersion)
	if ok && v.kind.Converted != nil {
		var err error
		if _, untyped := obj.(runtime.Unstructured); untyped {
			if obj, err = v.Scheme.ConvertToVersion(obj, obj.GetObjectKind().GroupVersionKind().GroupVersion()); err != nil {
				return nil, err
			}
		}
		if obj, err = v.kind.Converted(obj, gv); err != nil {
			return nil, err
		}
	}
	return v.ownless.ConvertToVersion(obj, to)
}

type creater struct{ kind *catalog.Kind }

func (c creater) New(schema.GroupVersionKind) (runtime.Object, error) { return c.kind.New(), nil }

// Name is the field manager of a request: the one that it names, or the first word of its User-Agent.
func Name(asked, agent string) string {
	if asked != "" {
		return asked
	}
	const most = 128
	name, _, _ := strings.Cut(agent, "/")
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, name)
	if len(name) > most {
		name = name[:most]
	}
	return name
}

// KeepTimes gives an object back the times of its old ownership when nothing else has changed, so that
// applying the same again writes nothing.
func KeepTimes(obj, old runtime.Object) error {
	m, err := meta.Accessor(obj)
	if err != nil {
		return err
	}
	before, err := meta.Accessor(old)
	if err != nil {
		return err
	}
	now, then := m.GetManagedFields(), before.GetManagedFields()
	if len(now) != len(then) || len(now) == 0 {
		return nil
	}
	for i := range now {
		a, b := now[i], then[i]
		a.Time, b.Time = nil, nil
		if !part.Equal(&a, &b) {
			return nil
		}
	}
	kept := make([]metav1.ManagedFieldsEntry, len(then))
	copy(kept, then)
	m.SetManagedFields(kept)
	return nil
}

func pathOf(names []string) fieldpath.Path {
	var path fieldpath.Path
	for _, n := range names {
		path = append(path, fieldpath.PathElement{FieldName: &n})
	}
	return path
}
