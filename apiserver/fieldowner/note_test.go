package fieldowner

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/managedfields"

	"coracle/apiserver/catalog"
	"coracle/apiserver/wire"
)

const objectsPerKind = 40

func owners(t testing.TB) *Owners {
	t.Helper()
	scheme, err := wire.NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	return New(scheme)
}

// What is noted is what comparing whole objects notes, for objects of every kind, however odd.
func TestNotesAreThoseOfTheWholeComparison(t *testing.T) {
	owners := owners(t)
	seed := rand.Uint64()
	for _, k := range catalog.Builtin() {
		if !described(k) {
			continue
		}
		t.Run(k.Qualified().String(), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			compared := 0
			for n := range objectsPerKind {
				made := random(t, k, rnd)
				where := fmt.Sprintf("object %d of seed %d", n, seed)

				want, err := whole(t, owners, k, "", made, k.New(), "maker")
				if err != nil {
					continue // an item of a list without the key that lists of its kind go by, for example
				}
				compared++
				got := made.DeepCopyObject()
				owners.Note(k, "", got, nil, "maker", time.Now())
				same(t, "created: "+where, want, got)

				for _, sub := range []string{"", "status"} {
					if _, has := k.Subresource(sub); sub != "" && !has {
						continue
					}
					changed := want.DeepCopyObject()
					if v := reflect.ValueOf(changed).Elem(); rnd.IntN(4) > 0 {
						alter(v, rnd, 5)
					} else { // as one who knows of no owners writes it
						changed.(metav1.Object).SetManagedFields(nil)
						alter(v, rnd, 5)
					}
					keep(changed, want, rnd)
					after, err := whole(t, owners, k, sub, changed, want, "changer")
					if err != nil {
						continue
					}
					old, got := want.DeepCopyObject(), changed.DeepCopyObject()
					owners.Note(k, sub, got, old, "changer", time.Now())
					same(t, "changed "+sub+": "+where+"\n"+text(t, want)+"\n"+text(t, changed), after, got)
					if !reflect.DeepEqual(old, want) {
						t.Fatalf("%s: the old object is shared, and was changed", where)
					}
				}
			}
			if compared == 0 && owners.shape(k) != nil {
				t.Error("nothing was compared")
			}
		})
	}
}

// The fast way is there: a pod is understood without help.
func TestNothingOfAPodTakesComparing(t *testing.T) {
	owners := owners(t)
	understood := map[string]int{}
	rnd := rand.New(rand.NewPCG(7, 7))
	for _, k := range catalog.Builtin() {
		if s := owners.shape(k); s != nil {
			for range objectsPerKind {
				if _, _, ok := s.compare(s.empty, reflect.ValueOf(random(t, k, rnd)).Elem()); ok {
					understood[k.Resource]++
				}
			}
		}
	}
	for _, resource := range []string{"pods", "configmaps", "secrets", "deployments", "roles", "services"} {
		if understood[resource] < objectsPerKind/8 {
			t.Errorf("of %d random %s the fields of %d were found in one pass", objectsPerKind, resource, understood[resource])
		}
	}
}

// whole notes by comparing the objects as they are.
func whole(t *testing.T, o *Owners, k *catalog.Kind, subresource string, obj, old runtime.Object, manager string) (runtime.Object, error) {
	t.Helper()
	m := upstream(t, o, k, subresource)
	old = old.DeepCopyObject()
	old.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind)
	return m.Update(old, obj.DeepCopyObject(), manager)
}

// upstream is the manager of a kind as upstream makes it, which converts and compares objects as they are.
func upstream(t *testing.T, o *Owners, k *catalog.Kind, subresource string) *managedfields.FieldManager {
	t.Helper()
	m, err := managedfields.NewDefaultFieldManager(o.converter(), o.scheme, noDefaults{}, creater{k}, k.GroupVersionKind, k.GroupVersion(), subresource, resets(k, subresource))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func same(t *testing.T, where string, want, got runtime.Object) {
	t.Helper()
	if diff := cmp.Diff(entries(t, want), entries(t, got)); diff != "" {
		b, _ := json.Marshal(got)
		t.Fatalf("%s (-whole +noted):\n%s\n%s", where, diff, b)
	}
}

func text(t *testing.T, obj runtime.Object) string {
	b, err := json.Marshal(obj)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func entries(t *testing.T, obj runtime.Object) any {
	t.Helper()
	list := obj.(metav1.Object).GetManagedFields()
	out := make([]metav1.ManagedFieldsEntry, len(list))
	for i, e := range list {
		e.Time = nil
		out[i] = e
	}
	// They are kept in the order of their seconds, in which a slow test may differ.
	slices.SortFunc(out, func(a, b metav1.ManagedFieldsEntry) int {
		return strings.Compare(a.Manager+" "+a.Subresource, b.Manager+" "+b.Subresource)
	})
	b, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// keep gives back some parts of an object, so that not everything differs.
func keep(obj, old runtime.Object, rnd *rand.Rand) {
	x, y := reflect.ValueOf(obj).Elem(), reflect.ValueOf(old.DeepCopyObject()).Elem()
	for i := range x.NumField() {
		if rnd.IntN(2) == 0 && x.Type().Field(i).Name != "ObjectMeta" {
			x.Field(i).Set(y.Field(i))
		}
	}
}

func random(t *testing.T, k *catalog.Kind, rnd *rand.Rand) runtime.Object {
	t.Helper()
	obj := k.New()
	alter(reflect.ValueOf(obj).Elem(), rnd, 9)
	obj.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind)
	m := obj.(metav1.Object)
	m.SetManagedFields(nil)
	if b, err := json.Marshal(obj); err != nil {
		t.Fatalf("%s", b)
	}
	return obj
}

// alter changes what it finds, here and there, down to a depth.
func alter(v reflect.Value, rnd *rand.Rand, depth int) {
	some := func() bool { return rnd.IntN(5) < 2 }
	switch at := v.Addr().Interface().(type) {
	case *metav1.TypeMeta, *[]metav1.ManagedFieldsEntry, *runtime.RawExtension:
		return
	case *metav1.Time:
		*at = metav1.Unix(int64(1+rnd.IntN(3)), 0)
		return
	case *metav1.MicroTime:
		*at = metav1.NewMicroTime(time.Unix(int64(1+rnd.IntN(3)), 0))
		return
	case *resource.Quantity:
		*at = *resource.NewQuantity(int64(rnd.IntN(3)), resource.DecimalSI)
		return
	case *intstr.IntOrString:
		*at = []intstr.IntOrString{intstr.FromInt32(int32(rnd.IntN(3))), intstr.FromString("http")}[rnd.IntN(2)]
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if depth > 0 && some() {
			p := reflect.New(v.Type().Elem())
			if !v.IsNil() {
				p.Elem().Set(v.Elem())
			}
			alter(p.Elem(), rnd, depth-1)
			v.Set(p)
		} else if some() {
			v.SetZero()
		}
	case reflect.Slice:
		if depth == 0 || !some() {
			if some() {
				v.SetZero()
			}
			return
		}
		n := rnd.IntN(3)
		s := reflect.MakeSlice(v.Type(), n, n)
		reflect.Copy(s, v)
		for i := range n {
			alter(s.Index(i), rnd, depth-1)
		}
		v.Set(s)
	case reflect.Map:
		if depth == 0 || !some() {
			return
		}
		m := reflect.MakeMap(v.Type())
		for range rnd.IntN(3) {
			key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			key.SetString(words[rnd.IntN(len(words))])
			alter(elem, rnd, depth-1)
			m.SetMapIndex(key, elem)
		}
		v.Set(m)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() && (depth > 7 || some()) {
				alter(f, rnd, depth-1)
			}
		}
	case reflect.String:
		v.SetString(words[rnd.IntN(len(words))])
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(rnd.IntN(3)))
	case reflect.Bool:
		v.SetBool(rnd.IntN(2) == 0)
	}
}

// words stand for what people write; some of it is written otherwise in JSON.
var words = []string{"", "a", "b", "http", "a/b.c-d", "<é\"\\"}
