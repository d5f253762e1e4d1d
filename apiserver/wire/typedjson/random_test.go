package typedjson_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"

	"coracle/apiserver/wire"
)

// kinds are all that the scheme has, in order.
func kinds(tb testing.TB) (*runtime.Scheme, []schema.GroupVersionKind) {
	tb.Helper()
	s, err := wire.NewScheme()
	if err != nil {
		tb.Fatal(err)
	}
	var all []schema.GroupVersionKind
	for kind := range s.AllKnownTypes() {
		all = append(all, kind)
	}
	slices.SortFunc(all, func(a, b schema.GroupVersionKind) int { return strings.Compare(a.String(), b.String()) })
	return s, all
}

// filler makes values, odd ones among them.
type filler struct {
	*rand.Rand
	words []string
	valid bool // only what has a JSON form
	left  int  // how many values more it makes: schemas hold schemas
}

const most = 20_000

func words() []string {
	return []string{"", "a", "app.kubernetes.io/name", "web", `say "no" \ or`, "<b>&amp;</b>", "line\nline\r\ttab\b\f", "\x00\x1f\x7f", "é ü €", "\U0001f600",
		"\u2028 and \u2029", "\xff\xfe", "a\xe2\x80", "\ufffd", "\ufeff", "null", "1e3", "true", strings.Repeat("long ", 40)}
}

func (r *filler) word() string { return r.words[r.IntN(len(r.words))] }

func (r *filler) raw() []byte {
	all := []string{`{}`, `{"a":1}`, `{"f:metadata":{"f:labels":{".":{},"f:app":{}}}}`, `"text"`, `null`, `[1,2.5,-3e-7]`, ` { "a" : [ true , false ] } `,
		`{"a":"<b>&","b":"` + "\u2028" + `"}`, `{"a":"\u003c\ud83d\ude00\ud83d"}`, `"` + "\xff" + `"`, `1`}
	if !r.valid {
		all = append(all, ``, `{`, `{"a":}`, `{"a":1}x`, `[01]`, `"a`, "\"\n\"", `{"a":"\x"}`, `tru`, `-`)
	}
	return []byte(all[r.IntN(len(all))])
}

func (r *filler) fill(v reflect.Value, depth int) {
	if r.left--; r.left < 0 {
		return
	}
	some := r.IntN(3) > 0
	switch at := v.Addr().Interface().(type) {
	case *metav1.Time:
		*at = metav1.Unix(r.Int64N(1<<33)*r.Int64N(2), r.Int64N(2)*999)
		if r.IntN(5) == 0 {
			at.Time = at.Time.In(time.FixedZone("odd", 3600*5+60*30))
		}
		if !r.valid && r.IntN(30) == 0 {
			*at = metav1.Date(12026, 1, 2, 3, 4, 5, 6, time.UTC)
		}
		return
	case *metav1.MicroTime:
		*at = metav1.NewMicroTime(time.Unix(r.Int64N(1<<33)*r.Int64N(2), r.Int64N(1e9)))
		return
	case *resource.Quantity:
		if r.IntN(4) > 0 {
			all := []string{"0", "1", "100m", "64Mi", "1.5Gi", "1e3", "12345678901234567890", "0.000000001", "-3", "1E", "1Ei", "3.14159"}
			*at = resource.MustParse(all[r.IntN(len(all))])
			if r.IntN(2) == 0 {
				_ = at.String() // which keeps it
			}
		}
		return
	case *intstr.IntOrString:
		*at = []intstr.IntOrString{{}, intstr.FromInt32(int32(r.Uint32())), intstr.FromString(r.word()), intstr.FromString("http")}[r.IntN(4)]
		if !r.valid && r.IntN(30) == 0 {
			at.Type = 7
		}
		return
	case *metav1.FieldsV1:
		if r.IntN(4) > 0 {
			at.SetRawBytes(r.raw())
		}
		return
	case *runtime.RawExtension:
		if r.IntN(4) > 0 {
			at.Raw = r.raw()
		}
		return
	case *apiextensionsv1.JSON:
		at.Raw = r.raw()
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if some && depth > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			r.fill(v.Elem(), depth-1)
		}
	case reflect.Slice:
		if some && depth > 0 {
			n := r.IntN(4)
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				r.fill(v.Index(i), depth-1)
			}
		}
	case reflect.Map:
		if some && depth > 0 {
			v.Set(reflect.MakeMap(v.Type()))
			for range r.IntN(12) {
				key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
				key.SetString(r.word())
				r.fill(elem, depth-1)
				v.SetMapIndex(key, elem)
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() && r.IntN(3) > 0 {
				r.fill(f, depth-1)
			}
		}
	case reflect.String:
		v.SetString(r.word())
	case reflect.Bool:
		v.SetBool(some)
	case reflect.Int32, reflect.Int64:
		v.SetInt(int64(r.Uint64() >> r.IntN(64)))
	case reflect.Uint8:
		v.SetUint(uint64(r.IntN(256)))
	case reflect.Float64:
		v.SetFloat(float64(r.Int64()) / 7)
	}
}
