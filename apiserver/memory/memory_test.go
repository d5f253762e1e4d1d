package memory

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
)

type kind struct {
	A bool              `json:"a,omitempty"`
	B int8              `json:"b,omitempty"`
	C uint16            `json:"c,omitempty"`
	D int32             `json:"d,omitempty"`
	E int64             `json:"e,omitempty"`
	F string            `json:"f,omitempty"`
	G []string          `json:"g,omitempty"`
	H map[string]string `json:"h,omitempty"`
	I *kind             `json:"i,omitempty"`
	J []byte            `json:"j,omitempty"`
	K map[string]int    `json:"k,omitempty"`
	L []struct{}        `json:"l,omitempty"`
	M map[int16]float64 `json:"m,omitempty"`
}

// What is empty is what encoding/json leaves out.
func TestEmptinessIsThatOfOmitempty(t *testing.T) {
	for name, k := range map[string]kind{
		"nothing":  {},
		"empty":    {G: []string{}, H: map[string]string{}, J: []byte{}, K: map[string]int{}, M: map[int16]float64{}, L: []struct{}{}},
		"sliced":   {G: []string{"a"}[:0], J: []byte("a")[:0], F: "a"[:0]},
		"full":     {A: true, B: -1, C: 1 << 15, D: -1 << 31, E: 1 << 62, F: "a", G: []string{""}, H: map[string]string{"": ""}, I: &kind{}, J: []byte{0}, K: map[string]int{"": 0}, M: map[int16]float64{0: 0}, L: make([]struct{}, 1)},
		"low bits": {B: 1, C: 1, D: 1, E: 1},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := json.Marshal(&k)
			if err != nil {
				t.Fatal(err)
			}
			var want map[string]any
			if err := json.Unmarshal(b, &want); err != nil {
				t.Fatal(err)
			}
			v := reflect.ValueOf(&k).Elem()
			for i := range v.NumField() {
				f := v.Type().Field(i)
				field, told := Omitted(f.Offset, f.Type)
				at, empty := field.In(Of(v))
				_, written := want[strings.ToLower(f.Name)]
				if !told || empty == written || at != Of(v.Field(i)) {
					t.Errorf("%s: written %v, told %v, empty %v", f.Name, written, told, empty)
				}
				if at, empty := FieldAt(f.Offset).In(Of(v)); empty || at != Of(v.Field(i)) {
					t.Errorf("%s is told to be empty", f.Name)
				}
			}
		})
	}
	for _, untold := range []any{struct{}{}, [1]int{}, 1.5, float32(1)} {
		if _, told := Omitted(0, reflect.TypeOf(untold)); told {
			t.Errorf("%T: whether it is empty is told", untold)
		}
	}
}

func TestPlacesAreWhereValuesAre(t *testing.T) {
	k := &kind{F: "outer", G: []string{"first", "second"}, I: &kind{F: "inner"}}
	field := func(name string) uintptr {
		f, _ := reflect.TypeFor[kind]().FieldByName(name)
		return f.Offset
	}
	at := Of(reflect.ValueOf(k).Elem())
	inner := at.Field(field("I")).Pointee()
	first, n := at.Field(field("G")).Items()
	none, no := inner.Field(field("G")).Items()
	got := []any{
		*As[string](at.Field(field("F"))), n, *As[string](first.Item(1, reflect.TypeFor[string]().Size())), no, none.Nowhere(),
		*As[string](inner.Field(field("F"))), inner.Field(field("I")).Pointee().Nowhere(), inner.Value(reflect.TypeFor[kind]()).Addr().Interface() == k.I,
	}
	if d := cmp.Diff([]any{"outer", 2, "second", 0, true, "inner", true, true}, got); d != "" {
		t.Error(d)
	}
	*As[string](first) = "changed"
	if k.G[0] != "changed" {
		t.Errorf("what was written is %q", k.G[0])
	}
}

func TestBlankAndSame(t *testing.T) {
	type odd struct{ A [19]byte }
	blank := func(o *odd) bool { return Of(reflect.ValueOf(o).Elem()).Blank(unsafe.Sizeof(*o)) }
	same := func(a, b *odd) bool {
		return Of(reflect.ValueOf(a).Elem()).Same(Of(reflect.ValueOf(b).Elem()), unsafe.Sizeof(*a))
	}
	if !blank(&odd{}) {
		t.Error("nothing is not blank")
	}
	for i := range reflect.TypeFor[odd]().Size() {
		o := &odd{}
		o.A[i] = 0x80
		if blank(o) {
			t.Errorf("with byte %d set it is blank", i)
		}
		if copied := *o; !same(o, &copied) || same(o, &odd{}) {
			t.Errorf("with byte %d set it is not what it is", i)
		}
	}
}
