package typedjson

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Marshal returns what json.Marshal returns, error included.
func (c *Codec) Marshal(obj any) ([]byte, error) {
	if v := reflect.ValueOf(obj); v.Kind() == reflect.Pointer && !v.IsNil() {
		if p := c.plans.of(v.Type().Elem()); p != nil {
			e, _ := c.encoders.Get().(*encoder)
			if e == nil {
				e = &encoder{}
			}
			defer c.encoders.Put(e)
			e.b = e.b[:0]
			if e.value(v.Elem(), p) {
				b := make([]byte, len(e.b))
				copy(b, e.b)
				if cap(e.b) > maxKept {
					e.b = nil
				}
				return b, nil
			}
			e.b = nil
		}
	}
	return json.Marshal(obj)
}

// maxKept is how large a buffer may be that is used again.
const maxKept = 64 << 10

type encoder struct{ b []byte }

// value writes an addressable value, and returns false if it cannot.
func (e *encoder) value(v reflect.Value, p *plan) bool {
	switch p.shape {
	case text:
		e.b = appendText(e.b, v.String())
	case number:
		e.b = strconv.AppendInt(e.b, v.Int(), 10)
	case truth:
		e.b = strconv.AppendBool(e.b, v.Bool())
	case pointer:
		if v.IsNil() {
			return e.null()
		}
		return e.value(v.Elem(), p.elem)
	case object:
		e.put("{")
		return e.members(v, p) && e.end('}')
	case list:
		if v.IsNil() {
			return e.null()
		}
		e.put("[")
		for i := range v.Len() {
			if !e.value(v.Index(i), p.elem) {
				return false
			}
			e.put(",")
		}
		return e.end(']')
	case texts:
		return e.texts(*v.Addr().Interface().(*[]string))
	case textTable:
		return e.textTable(*v.Addr().Interface().(*map[string]string))
	case amounts:
		return e.amounts(*v.Addr().Interface().(*corev1.ResourceList))
	case table:
		return e.table(v, p)
	case binary:
		b := *v.Addr().Interface().(*[]byte)
		if b == nil {
			return e.null()
		}
		e.put(`"`)
		e.b = base64.StdEncoding.AppendEncode(e.b, b)
		e.put(`"`)
	case moment:
		t := v.Addr().Interface().(*metav1.Time)
		if t.IsZero() {
			return e.null()
		}
		e.put(`"`)
		e.b = t.UTC().AppendFormat(e.b, time.RFC3339)
		e.put(`"`)
	case numberOrText:
		switch is := v.Addr().Interface().(*intstr.IntOrString); is.Type {
		case intstr.Int:
			e.b = strconv.AppendInt(e.b, int64(is.IntVal), 10)
		case intstr.String:
			e.b = appendText(e.b, is.StrVal)
		default:
			return false
		}
	case amount:
		return e.own(v.Addr().Interface().(*resource.Quantity))
	case own:
		return e.own(v.Addr().Interface().(json.Marshaler))
	}
	return true
}

// put is not inlined for the size of what calls it.
//
//go:noinline
func (e *encoder) put(s string) { e.b = append(e.b, s...) }

func (e *encoder) null() bool {
	e.put("null")
	return true
}

// end writes a bracket that closes, in place of the comma behind the last member.
func (e *encoder) end(bracket byte) bool {
	if last := len(e.b) - 1; e.b[last] == ',' {
		e.b[last] = bracket
	} else {
		e.b = append(e.b, bracket)
	}
	return true
}

// members writes the fields of a struct, each with a comma behind it.
func (e *encoder) members(v reflect.Value, p *plan) bool {
	for i := range p.fields {
		f := &p.fields[i]
		at := v.Field(f.index)
		if f.key == "" {
			if !e.members(at, f.plan) {
				return false
			}
			continue
		}
		if f.omitNone && none(at, f.plan.shape) || f.omitZero && zero(at) {
			continue
		}
		e.put(f.key)
		if !e.value(at, f.plan) {
			return false
		}
		e.put(",")
	}
	return true
}

// none tells whether a value is what omitempty means.
func none(v reflect.Value, s shape) bool {
	switch s {
	case pointer:
		return v.IsNil()
	case text, list, texts, table, textTable, amounts, binary:
		return v.Len() == 0
	case number:
		return v.Int() == 0
	case truth:
		return !v.Bool()
	}
	return false
}

func zero(v reflect.Value) bool {
	if z, ok := v.Addr().Interface().(zeroer); ok {
		return z.IsZero()
	}
	return v.IsZero()
}

func (e *encoder) texts(all []string) bool {
	if all == nil {
		return e.null()
	}
	e.put("[")
	for _, s := range all {
		e.b = appendText(e.b, s)
		e.put(",")
	}
	return e.end(']')
}

// few is how many keys most maps have at most.
const few = 8

func (e *encoder) textTable(m map[string]string) bool {
	keys := make([]string, 0, few)
	for k := range m {
		keys = append(keys, k)
	}
	return e.keyed(m == nil, keys, func(k string) bool {
		e.b = appendText(e.b, m[k])
		return true
	})
}

func (e *encoder) amounts(m corev1.ResourceList) bool {
	keys := make([]string, 0, few)
	for k := range m {
		keys = append(keys, string(k))
	}
	return e.keyed(m == nil, keys, func(k string) bool { return e.own(m[corev1.ResourceName(k)]) })
}

func (e *encoder) table(m reflect.Value, p *plan) bool {
	keys := make([]string, 0, few)
	for at := m.MapRange(); at.Next(); {
		keys = append(keys, at.Key().String())
	}
	key, value := reflect.New(p.typ.Key()).Elem(), reflect.New(p.elem.typ).Elem()
	return e.keyed(m.IsNil(), keys, func(k string) bool {
		key.SetString(k)
		value.Set(m.MapIndex(key))
		return e.value(value, p.elem)
	})
}

// keyed writes a map, by its keys, which it sorts.
func (e *encoder) keyed(isNil bool, keys []string, value func(key string) bool) bool {
	if isNil {
		return e.null()
	}
	slices.Sort(keys)
	e.put("{")
	for _, k := range keys {
		e.b = appendText(e.b, k)
		e.put(":")
		if !value(k) {
			return false
		}
		e.put(",")
	}
	return e.end('}')
}

// own writes what a value says of itself, in the form into which encoding/json brings that.
func (e *encoder) own(m json.Marshaler) bool {
	b, err := m.MarshalJSON()
	if err != nil || len(b) == 0 {
		return false
	}
	if !compact(b) {
		if b, err = json.Marshal(json.RawMessage(b)); err != nil {
			return false
		}
	}
	e.b = append(e.b, b...)
	return true
}
