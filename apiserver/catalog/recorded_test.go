package catalog

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"
)

// A recorded case is an object, and what Kubernetes 1.37 answered when its own code was given it: its defaults,
// strategies, validation, warnings and printers. testdata/create, update and table have one file per resource.
type recorded struct {
	Name   string
	Given  json.RawMessage // to be created or printed
	Old    json.RawMessage // to be updated by Change, a JSON merge patch, through the named subresource
	Change json.RawMessage
	// Through is the subresource, "" for the object itself.
	Through string

	Stored     map[string]any
	Errors     []string
	Warnings   []string
	Row        []any
	Conditions string
}

func TestObjectsAreCreatedAsInKubernetes(t *testing.T) {
	eachRecorded(t, "create", func(t *testing.T, k *Kind, c recorded) {
		obj := decode(t, k, c.Given)
		errs := create(k, obj)
		compare(t, k, c, obj, nil, errs)
	})
}

func TestObjectsAreUpdatedAsInKubernetes(t *testing.T) {
	eachRecorded(t, "update", func(t *testing.T, k *Kind, c recorded) {
		old := decode(t, k, c.Old)
		setDefaults(k, old)
		m := accessor(t, old)
		m.SetUID(types.UID("u"))
		m.SetResourceVersion("7")
		m.SetGeneration(1)
		was, err := json.Marshal(old)
		if err != nil {
			t.Fatal(err)
		}
		patched, err := jsonpatch.MergePatch(was, c.Change)
		if err != nil {
			t.Fatal(err)
		}
		obj := decode(t, k, patched)
		before := old.DeepCopyObject()
		errs := update(k, c.Through, obj, old)
		compare(t, k, c, obj, old, errs)
		if !equality.Semantic.DeepEqual(before, old) {
			t.Errorf("the old object is shared, and was changed:\n%s", cmp.Diff(before, old))
		}
	})
}

func TestObjectsArePrintedAsInKubernetes(t *testing.T) {
	now := time.Date(2026, 11, 23, 19, 0, 0, 0, time.UTC)
	eachRecorded(t, "table", func(t *testing.T, k *Kind, c recorded) {
		obj := decode(t, k, c.Given)
		b, err := json.Marshal(Cells(k, obj, now))
		if err != nil {
			t.Fatal(err)
		}
		var row []any
		if err := json.Unmarshal(b, &row); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.Row, row); diff != "" {
			t.Errorf("Kubernetes -, here +:\n%s", diff)
		}
		if n := len(Columns(k)); n != len(row) {
			t.Errorf("%d columns for %d cells", n, len(row))
		}
		var reason string
		if k.Table.Conditions != nil {
			if all := k.Table.Conditions(obj); len(all) > 0 {
				reason = all[0].Reason
			}
		}
		if reason != c.Conditions {
			t.Errorf("the row is marked %q, want %q", reason, c.Conditions)
		}
	})
}

func eachRecorded(t *testing.T, folder string, f func(*testing.T, *Kind, recorded)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no testdata", err)
	}
	kinds := map[string]*Kind{}
	for _, k := range coreKinds() {
		kinds[k.Resource] = k
	}
	for _, file := range files {
		resource := strings.TrimSuffix(filepath.Base(file), ".yaml")
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var cases []recorded
		if err := yaml.UnmarshalStrict(b, &cases); err != nil {
			t.Fatal(file, err)
		}
		for _, c := range cases {
			t.Run(resource+"/"+c.Name, func(t *testing.T) { f(t, kinds[resource], c) })
		}
	}
}

func compare(t *testing.T, k *Kind, c recorded, obj, old runtime.Object, errs field.ErrorList) {
	t.Helper()
	var texts []string
	for _, e := range errs {
		texts = append(texts, e.Error())
	}
	if diff := cmp.Diff(c.Errors, texts); diff != "" {
		t.Errorf("errors: Kubernetes -, here +:\n%s", diff)
	}
	if len(texts) > 0 {
		return
	}
	if k.Strategy.Warnings != nil && c.Through == "" {
		if diff := cmp.Diff(c.Warnings, k.Strategy.Warnings(obj, old)); diff != "" {
			t.Errorf("warnings: Kubernetes -, here +:\n%s", diff)
		}
	}
	b, err := json.Marshal(obj)
	if err != nil {
		t.Fatal(err)
	}
	var stored map[string]any
	if err := json.Unmarshal(b, &stored); err != nil {
		t.Fatal(err)
	}
	delete(stored, "kind")
	delete(stored, "apiVersion")
	if m, ok := stored["metadata"].(map[string]any); ok {
		delete(m, "uid")
		delete(m, "resourceVersion")
	}
	same := cmp.FilterPath(func(p cmp.Path) bool { // the time of the report
		return strings.HasSuffix(p.GoString(), `["lastTransitionTime"]`) || strings.HasSuffix(p.GoString(), `["lastPhaseTransitionTime"]`)
	}, cmp.Ignore())
	if diff := cmp.Diff(c.Stored, stored, same); diff != "" {
		t.Errorf("stored: Kubernetes -, here +:\n%s", diff)
	}
}

func decode(t testing.TB, k *Kind, b []byte) runtime.Object {
	t.Helper()
	obj := k.New()
	if err := json.Unmarshal(b, obj); err != nil {
		t.Fatal(err)
	}
	if k.Namespaced {
		accessor(t, obj).SetNamespace(metav1.NamespaceDefault)
	}
	return obj
}

func accessor(t testing.TB, obj runtime.Object) metav1.Object {
	t.Helper()
	m, err := meta.Accessor(obj)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// create and update call a kind's functions in the order in which the server does.

func create(k *Kind, obj runtime.Object) field.ErrorList {
	setDefaults(k, obj)
	if k.Strategy.PrepareForCreate != nil {
		k.Strategy.PrepareForCreate(obj)
		setDefaults(k, obj)
	}
	m, _ := meta.Accessor(obj)
	if k.Strategy.Generation {
		m.SetGeneration(1)
	}
	var errs field.ErrorList
	if !k.Strategy.ChecksMetadata {
		errs = k.ValidateMetadata(m)
	}
	if k.Strategy.Validate != nil {
		errs = append(errs, k.Strategy.Validate(obj)...)
	}
	return Ordered(errs)
}

func update(k *Kind, through string, obj, old runtime.Object) field.ErrorList {
	setDefaults(k, obj)
	st, status := k.Strategy, false
	sub, _ := k.Subresource(through)
	if _, ok := k.Subresource("status"); ok {
		status = through == "status"
		keep(obj, old, func(name string) bool {
			return !status && through == "" && name == "Status" || status && name != "Status" && name != "ObjectMeta"
		})
	}
	switch {
	case sub.Prepare != nil:
		sub.Prepare(obj, old)
	case status && st.PrepareForStatusUpdate != nil:
		st.PrepareForStatusUpdate(obj, old)
	case through == "" && st.PrepareForUpdate != nil:
		st.PrepareForUpdate(obj, old)
	case through == "finalize":
		keep(obj, old, func(name string) bool { return name == "Status" })
	}
	setDefaults(k, obj)
	m, _ := meta.Accessor(obj)
	if changed := !equality.Semantic.DeepEqual(specOf(obj), specOf(old)); st.Generation && changed && !status {
		m.SetGeneration(m.GetGeneration() + 1)
	}
	errs := k.ValidateMetadata(m)
	switch {
	case sub.Validate != nil:
		errs = append(errs, sub.Validate(obj, old)...)
	case status:
		if st.ValidateStatusUpdate != nil {
			errs = append(errs, st.ValidateStatusUpdate(obj, old)...)
		}
	case st.Revalidate != nil:
		errs = append(errs, st.Revalidate(obj, old)...)
	default:
		if st.Validate != nil {
			errs = append(errs, st.Validate(obj)...)
		}
		if st.ValidateUpdate != nil {
			errs = append(errs, st.ValidateUpdate(obj, old)...)
		}
	}
	return Ordered(errs)
}

func setDefaults(k *Kind, obj runtime.Object) {
	if k.Strategy.Default != nil {
		k.Strategy.Default(obj)
	}
}

func keep(obj, old runtime.Object, chosen func(fieldName string) bool) {
	to, from := reflect.ValueOf(obj).Elem(), reflect.ValueOf(old.DeepCopyObject()).Elem()
	for i := range to.NumField() {
		if chosen(to.Type().Field(i).Name) {
			to.Field(i).Set(from.Field(i))
		}
	}
}

func specOf(obj runtime.Object) any {
	if spec := reflect.ValueOf(obj).Elem().FieldByName("Spec"); spec.IsValid() {
		return spec.Interface()
	}
	return nil
}
