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

	"coracle/apiserver/memory"
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
			if e.value(memory.Of(v.Elem()), p) {
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

type encoder struct {
	b       []byte
	scratch [32]byte // for the digits of an amount
}

// value writes what is there, and returns false if it cannot.
func (e *encoder) value(v memory.Place, p *plan) bool {
	switch p.shape {
	case text:
		e.b = appendText(e.b, *memory.As[string](v))
	case number:
		e.b = strconv.AppendInt(e.b, numberAt(v, p.size), 10)
	case truth:
		e.b = strconv.AppendBool(e.b, *memory.As[bool](v))
	case pointer:
		to := v.Pointee()
		if to.Nowhere() {
			return e.null()
		}
		return e.value(to, p.elem)
	case object:
		e.put("{")
		return e.members(v, p) && e.end('}')
	case list:
		first, n := v.Items()
		if first.Nowhere() {
			return e.null()
		}
		e.put("[")
		for i := range n {
			if !e.value(first.Item(i, p.elem.size), p.elem) {
				return false
			}
			e.put(",")
		}
		return e.end(']')
	case texts:
		return e.texts(*memory.As[[]string](v))
	case textTable:
		return e.textTable(*memory.As[map[string]string](v))
	case amounts:
		return e.amounts(*memory.As[corev1.ResourceList](v))
	case table:
		return e.table(v.Value(p.typ), p)
	case binary:
		b := *memory.As[[]byte](v)
		if b == nil {
			return e.null()
		}
		e.put(`"`)
		e.b = base64.StdEncoding.AppendEncode(e.b, b)
		e.put(`"`)
	case moment:
		t := memory.As[metav1.Time](v)
		if t.IsZero() {
			return e.null()
		}
		e.put(`"`)
		e.b = t.UTC().AppendFormat(e.b, time.RFC3339)
		e.put(`"`)
	case numberOrText:
		switch is := memory.As[intstr.IntOrString](v); is.Type {
		case intstr.Int:
			e.b = strconv.AppendInt(e.b, int64(is.IntVal), 10)
		case intstr.String:
			e.b = appendText(e.b, is.StrVal)
		default:
			return false
		}
	case amount:
		return e.amount(*memory.As[resource.Quantity](v))
	case own:
		return e.own(v.Value(p.typ).Addr().Interface().(json.Marshaler))
	}
	return true
}

// put is not inlined for the size of what calls it. The buffer changes in length alone, most times, of which the garbage collector
// need not hear.
//
//go:noinline
func (e *encoder) put(s string) {
	n := len(e.b)
	if cap(e.b)-n < len(s) {
		e.b = slices.Grow(e.b, len(s))
	}
	e.b = e.b[:n+len(s)]
	copy(e.b[n:], s)
}

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
func (e *encoder) members(v memory.Place, p *plan) bool {
	for i, place := range p.places {
		at, empty := place.In(v)
		if empty {
			continue
		}
		f := &p.fields[i]
		if f.key == "" {
			if !e.members(at, f.plan) {
				return false
			}
			continue
		}
		if f.omitZero && zero(at.Value(f.plan.typ)) {
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

func numberAt(v memory.Place, size uintptr) int64 {
	switch size {
	case 1:
		return int64(*memory.As[int8](v))
	case 2:
		return int64(*memory.As[int16](v))
	case 4:
		return int64(*memory.As[int32](v))
	}
	return *memory.As[int64](v)
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

// few is how many keys most maps have at most, and texts most lists.
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

// amount writes what MarshalJSON of a quantity writes.
func (e *encoder) amount(q resource.Quantity) bool {
	number, suffix := q.CanonicalizeBytes(e.scratch[:0])
	e.put(`"`)
	e.b = append(append(e.b, number...), suffix...)
	e.put(`"`)
	return true
}

func (e *encoder) amounts(m corev1.ResourceList) bool {
	keys := make([]string, 0, few)
	for k := range m {
		keys = append(keys, string(k))
	}
	return e.keyed(m == nil, keys, func(k string) bool { return e.amount(m[corev1.ResourceName(k)]) })
}

func (e *encoder) table(m reflect.Value, p *plan) bool {
	keys := make([]string, 0, few)
	for at := m.MapRange(); at.Next(); {
		keys = append(keys, at.Key().String())
	}
	key, value := reflect.New(p.typ.Key()).Elem(), reflect.New(p.elem.typ).Elem()
	at := memory.Of(value)
	return e.keyed(m.IsNil(), keys, func(k string) bool {
		key.SetString(k)
		value.Set(m.MapIndex(key))
		return e.value(at, p.elem)
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
