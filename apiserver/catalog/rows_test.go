package catalog

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// What Kubernetes 1.37 lists at /api/v1.
type discovered struct {
	Name         string   `json:"name"`
	SingularName string   `json:"singularName"`
	Namespaced   bool     `json:"namespaced"`
	Kind         string   `json:"kind"`
	In           string   `json:"in"`
	Verbs        []string `json:"verbs"`
	ShortNames   []string `json:"shortNames"`
	Categories   []string `json:"categories"`
}

func TestTheCoreGroupIsDiscoveredAsInKubernetes(t *testing.T) {
	b, err := os.ReadFile("testdata/discovery.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []discovered
	if err := yaml.UnmarshalStrict(b, &want); err != nil {
		t.Fatal(err)
	}
	for _, k := range coreKinds() {
		got = append(got, discovered{
			k.Resource, k.Singular, k.Namespaced, k.Kind, k.GroupVersion().String(), k.AllVerbs(), k.ShortNames, k.Categories,
		})
		for _, s := range k.Subresources {
			got = append(got, discovered{
				k.Resource + "/" + s.Name, "", k.Namespaced, s.Kind.Kind, s.Kind.GroupVersion().String(), s.Verbs, nil, nil,
			})
		}
	}
	slices.SortFunc(got, func(a, b discovered) int { return strings.Compare(a.Name, b.Name) })
	sets := cmp.Transformer("sorted", func(verbs []string) []string { return slices.Sorted(slices.Values(verbs)) })
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.FilterValues(func(a, b []string) bool {
		return !slices.IsSorted(a) || !slices.IsSorted(b)
	}, sets)); diff != "" {
		t.Errorf("Kubernetes -, here +:\n%s", diff)
	}
}

func TestOnlyTheDeprecatedIsCalledSo(t *testing.T) {
	want := map[string]string{
		"componentstatuses": "v1 ComponentStatus is deprecated in v1.19+",
		"endpoints":         "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
	}
	for _, k := range coreKinds() {
		if got := k.Deprecation(); got != want[k.Resource] {
			t.Errorf("%s: %q, want %q", k.Resource, got, want[k.Resource])
		}
	}
}

// Whatever a client sends in the right shape gets an answer, however strange: nothing here may panic.
func TestNoObjectIsTooStrange(t *testing.T) {
	shapes := map[string]func(runtime.Object){
		"empty":                                   func(runtime.Object) {},
		"with one empty element of every list":    func(obj runtime.Object) { stuff(reflect.ValueOf(obj).Elem(), "", 9) },
		"with the same word and number all over":  func(obj runtime.Object) { stuff(reflect.ValueOf(obj).Elem(), "a", 9) },
		"with the least of what it points to":     func(obj runtime.Object) { stuff(reflect.ValueOf(obj).Elem(), "", 3) },
		"with names that are no names all over":   func(obj runtime.Object) { stuff(reflect.ValueOf(obj).Elem(), "../A b=\x00", 9) },
		"with JSON where text is meant, all over": func(obj runtime.Object) { stuff(reflect.ValueOf(obj).Elem(), `[{"a":{}}]`, 9) },
	}
	for _, k := range Builtin() {
		if k.Kind == "CustomResourceDefinition" {
			continue // Kubernetes' published check of definitions panics on a selectable field without a schema
		}
		for shape, make := range shapes {
			t.Run(k.Qualified().String()+" "+shape, func(t *testing.T) {
				one := func() runtime.Object {
					obj := k.New()
					make(obj)
					obj.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind)
					return obj
				}
				exercise(t, k, one(), k.New())
				exercise(t, k, one(), one())
				exercise(t, k, k.New(), one())
			})
		}
	}
}

// exercise calls all that the server may call with an object and the one that it is to replace.
func exercise(t testing.TB, k *Kind, obj, old runtime.Object) {
	t.Helper()
	fresh := obj.DeepCopyObject()
	errs := create(k, fresh)
	_ = errs.ToAggregate()
	if k.Strategy.Warnings != nil && len(errs) == 0 {
		k.Strategy.Warnings(fresh, nil)
	}
	observe(t, k, fresh)
	observe(t, k, obj)
	setDefaults(k, old)
	through := []string{""}
	for _, s := range k.Subresources {
		if reflect.TypeOf(s.New()) == reflect.TypeOf(obj) {
			through = append(through, s.Name)
		}
	}
	for _, sub := range through {
		before, changed := old.DeepCopyObject(), obj.DeepCopyObject()
		errs := update(k, sub, changed, old)
		_ = errs.ToAggregate()
		if k.Strategy.Warnings != nil && sub == "" && len(errs) == 0 {
			k.Strategy.Warnings(changed, old)
		}
		if !reflect.DeepEqual(before, old) {
			t.Errorf("%s/%s: the old object is shared, and was changed", k.Resource, sub)
		}
	}
	if k.ToStored != nil {
		stored, err := k.ToStored(obj.DeepCopyObject())
		if err == nil {
			_, err = k.FromStored(stored)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

func observe(t testing.TB, k *Kind, obj runtime.Object) {
	t.Helper()
	cells, columns := Cells(k, obj, time.Now()), Columns(k)
	if k.Kind == "IPAddress" {
		cells = cells[:2] // as in Kubernetes, its age has no column
	}
	if len(cells) != len(columns) {
		t.Errorf("%s: %d cells in %d columns", k.Resource, len(cells), len(columns))
	}
	if k.Table.Conditions != nil {
		k.Table.Conditions(obj)
	}
	if k.Fields == nil {
		return
	}
	for name := range k.Fields(obj) {
		if !slices.Contains(k.FieldNames, name) {
			t.Errorf("%s: %s has a value, and cannot be asked for", k.Resource, name)
		}
	}
	if k.Strategy.GracePeriod != nil {
		if n := k.Strategy.GracePeriod(obj, nil); n < 0 {
			t.Errorf("%s: a grace period of %d seconds", k.Resource, n)
		}
	}
}

// stuff sets every pointer, list and map to something of one element, every text to the given one.
func stuff(v reflect.Value, text string, depth int) {
	if depth == 0 {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		stuff(v.Elem(), text, depth-1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		stuff(v.Index(0), text, depth-1)
	case reflect.Map:
		key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		stuff(key, text, depth-1)
		stuff(elem, text, depth-1)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, elem)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() && v.Type().Field(i).Name != "ManagedFields" {
				stuff(f, text, depth-1)
			}
		}
	case reflect.String:
		v.SetString(text)
	case reflect.Int, reflect.Int32, reflect.Int64:
		if text != "" {
			v.SetInt(int64(len(text)))
		}
	case reflect.Bool:
		v.SetBool(text != "")
	}
}

func TestACatalogChangesAsAWhole(t *testing.T) {
	widget := func(name string) *Kind {
		return &Kind{GroupVersionKind: schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: name}, Resource: strings.ToLower(name) + "s",
			New: func() runtime.Object { return &metav1.PartialObjectMetadata{} }}
	}
	c := New([]*Kind{widget("Gear"), widget("Wheel")})
	before := c.Generation()
	c.Replace(func(k *Kind) bool { return k.Kind == "Gear" }, widget("Cog"))
	var names []string
	for _, k := range c.Kinds() {
		names = append(names, k.Kind)
	}
	if diff := cmp.Diff([]string{"Wheel", "Cog"}, names); diff != "" {
		t.Error(diff)
	}
	gv := schema.GroupVersion{Group: "example.com", Version: "v1"}
	if c.ByResource(gv.WithResource("gears")) != nil || c.ByKind(gv.WithKind("Gear")) != nil {
		t.Error("what was dropped is still found")
	}
	if k := c.ByResource(gv.WithResource("cogs")); k == nil || c.ByKind(gv.WithKind("Cog")) != k {
		t.Error("what was added is not found")
	}
	if c.Generation() == before {
		t.Error("whoever caches what is derived from the catalog must see a new generation")
	}
}
