package typedjson

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"coracle/apiserver/memory"
)

// Unmarshal reads an object into obj, as sigs.k8s.io/json does, and returns true. It returns false, and leaves obj as it is, if there is
// more in obj than its kind and apiVersion, or if there is anything in the document that is uncommon, or that the library might have
// something to say about, strict or not: whoever asks has the library read it then.
func (c *Codec) Unmarshal(b []byte, obj runtime.Object) bool {
	v := reflect.ValueOf(obj)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return false
	}
	v = v.Elem()
	p := c.plans.of(v.Type())
	if p == nil || p.shape != object {
		return false
	}
	var none metav1.TypeMeta
	said, ok := obj.GetObjectKind().(*metav1.TypeMeta)
	if !ok {
		said = &none
	}
	before := *said
	*said = metav1.TypeMeta{}
	at := memory.Of(v)
	empty := at.Blank(p.size)
	*said = before
	if !empty {
		return false
	}
	d := decoder{scanner: scanner{b: b}}
	if d.next() == '{' && d.object(at, p) && d.next() == 0 && d.at == len(b) {
		return true
	}
	v.SetZero()
	*said = before
	return false
}

// decoder reads a document. Its methods that read return false for what is not understood.
type decoder struct {
	scanner
	short   strings.Builder // where short texts are kept
	scratch []byte
}

// maxSpare is how much memory for the items of a type is used again, in bytes.
const maxSpare = 16 << 10

// value reads a value that begins at the byte that next has returned.
func (d *decoder) value(v memory.Place, p *plan) bool {
	c := d.next()
	switch p.shape {
	case own:
		from := d.at
		return d.pass() && v.Value(p.typ).Addr().Interface().(json.Unmarshaler).UnmarshalJSON(d.b[from:d.at]) == nil
	case amount:
		return d.amount(memory.As[resource.Quantity](v))
	case numberOrText:
		return d.numberOrText(c, memory.As[intstr.IntOrString](v))
	}
	if c == 'n' {
		return d.literal("null") // which leaves zero what is zero
	}
	switch p.shape {
	case text:
		s, ok := d.text(c)
		*memory.As[string](v) = s
		return ok
	case number:
		n, ok := d.number()
		return ok && setNumber(v, p.size, n)
	case truth:
		*memory.As[bool](v) = c == 't'
		return c == 't' && d.literal("true") || c == 'f' && d.literal("false")
	case pointer:
		to := memory.New(p.elem.typ)
		v.Point(to)
		return d.value(to, p.elem)
	case object:
		return c == '{' && d.object(v, p)
	case list:
		return c == '[' && d.list(v, p)
	case texts:
		return c == '[' && d.texts(memory.As[[]string](v))
	case textTable:
		return c == '{' && d.textTable(memory.As[map[string]string](v))
	case amounts:
		return c == '{' && d.amounts(memory.As[corev1.ResourceList](v))
	case table:
		return c == '{' && d.table(v, p)
	case binary:
		return d.binary(c, memory.As[[]byte](v))
	case moment:
		b, ok := d.textBytes(c)
		if !ok {
			return false
		}
		t, err := time.Parse(time.RFC3339, string(b))
		*memory.As[metav1.Time](v) = metav1.NewTime(t.Local())
		return err == nil
	}
	return false
}

func (d *decoder) object(v memory.Place, p *plan) bool {
	var seen [maxNames / 64]uint64
	for first := true; ; first = false {
		if more, ok := d.more(first, '}'); !more {
			return ok
		}
		name, ok := d.name()
		if !ok {
			return false
		}
		i := p.byName.find(name)
		if i < 0 {
			return false
		}
		bit := uint64(1) << (i % 64)
		if seen[i/64]&bit != 0 {
			return false
		}
		seen[i/64] |= bit
		f := &p.byName.all[i]
		if !d.value(v.Field(f.offset), f.plan) {
			return false
		}
	}
}

// more passes over what stands in front of a member, and tells whether one comes. It is at the bracket that opens before the first,
// and behind the one that closes after the last.
func (d *decoder) more(first bool, end byte) (more, ok bool) {
	if first {
		d.at++
		if d.next() != end {
			return true, true
		}
	} else if c := d.next(); c == ',' {
		d.at++
		return true, true
	} else if c != end {
		return false, false
	}
	d.at++
	return false, true
}

// name reads a member's plain name and the colon.
func (d *decoder) name() ([]byte, bool) {
	if d.next() != '"' {
		return nil, false
	}
	from := d.at + 1
	i := from
	for i < len(d.b) && plain[d.b[i]] {
		i++
	}
	if d.at = i + 1; i >= len(d.b) || d.b[i] != '"' || d.next() != ':' {
		return nil, false
	}
	d.at++
	return d.b[from:i], true
}

// list reads items into memory that is used again, and then gives the list just as much as it needs.
func (d *decoder) list(v memory.Place, p *plan) bool {
	spare, again := p.spare.Get().(*reflect.Value)
	if !again {
		spare = new(reflect.New(p.typ).Elem())
	}
	for n := 0; ; n++ {
		more, ok := d.more(n == 0, ']')
		if !ok {
			return false
		}
		if !more {
			all := v.Value(p.typ)
			if n == 0 {
				all.Set(reflect.MakeSlice(p.typ, 0, 0))
			} else {
				spare.SetLen(n)
				all.Grow(n)
				all.SetLen(n)
				reflect.Copy(all, *spare)
				spare.Clear()
				spare.SetLen(spare.Cap())
			}
			if uintptr(spare.Len())*p.elem.size <= maxSpare {
				p.spare.Put(spare)
			}
			return true
		}
		if n == spare.Len() {
			spare.Grow(1)
			spare.SetLen(spare.Cap())
		}
		first, _ := memory.Of(*spare).Items()
		if !d.value(first.Item(n, p.elem.size), p.elem) {
			return false
		}
	}
}

// setNumber says false of a number that is too large for so many bytes.
func setNumber(v memory.Place, size uintptr, n int64) bool {
	switch size {
	case 1:
		*memory.As[int8](v) = int8(n)
		return n == int64(int8(n))
	case 2:
		*memory.As[int16](v) = int16(n)
		return n == int64(int16(n))
	case 4:
		*memory.As[int32](v) = int32(n)
		return n == int64(int32(n))
	}
	*memory.As[int64](v) = n
	return true
}

func (d *decoder) texts(into *[]string) bool {
	var some [few]string
	all := some[:0]
	for {
		if more, ok := d.more(len(all) == 0, ']'); !more {
			*into = append(make([]string, 0, len(all)), all...)
			return ok
		}
		s, ok := d.text(d.next())
		if !ok {
			return false
		}
		all = append(all, s)
	}
}

func (d *decoder) textTable(into *map[string]string) bool {
	m := map[string]string{}
	for n := 0; ; n++ {
		if more, ok := d.more(n == 0, '}'); !more {
			*into = m
			return ok && len(m) == n // or a key was there twice
		}
		key, ok := d.key()
		if !ok {
			return false
		}
		s, ok := d.text(d.next())
		if !ok {
			return false
		}
		m[key] = s
	}
}

func (d *decoder) table(v memory.Place, p *plan) bool {
	m := reflect.MakeMap(p.typ)
	v.Value(p.typ).Set(m)
	key, value := reflect.New(p.typ.Key()).Elem(), reflect.New(p.elem.typ).Elem()
	at := memory.Of(value)
	for n := 0; ; n++ {
		if more, ok := d.more(n == 0, '}'); !more {
			return ok && m.Len() == n
		}
		k, ok := d.key()
		if !ok {
			return false
		}
		key.SetString(k)
		value.SetZero()
		if !d.value(at, p.elem) {
			return false
		}
		m.SetMapIndex(key, value)
	}
}

func (d *decoder) amounts(into *corev1.ResourceList) bool {
	m := corev1.ResourceList{}
	for n := 0; ; n++ {
		if more, ok := d.more(n == 0, '}'); !more {
			*into = m
			return ok && len(m) == n
		}
		key, ok := d.key()
		if !ok {
			return false
		}
		var q resource.Quantity
		if d.next(); !d.amount(&q) {
			return false
		}
		m[corev1.ResourceName(key)] = q
	}
}

func (d *decoder) amount(into *resource.Quantity) bool {
	from := d.at
	return d.skip(0) && into.UnmarshalJSON(d.b[from:d.at]) == nil
}

// key reads a key of a map and the colon.
func (d *decoder) key() (string, bool) {
	s, ok := d.text(d.next())
	if !ok || d.next() != ':' {
		return "", false
	}
	d.at++
	return s, true
}

func (d *decoder) binary(c byte, into *[]byte) bool {
	s, ok := d.textBytes(c)
	if !ok {
		return false
	}
	b := make([]byte, base64.StdEncoding.DecodedLen(len(s)))
	n, err := base64.StdEncoding.Decode(b, s)
	*into = b[:n]
	return err == nil
}

func (d *decoder) numberOrText(c byte, into *intstr.IntOrString) bool {
	if c == 'n' {
		return d.literal("null")
	}
	if c == '"' {
		s, ok := d.text(c)
		*into = intstr.FromString(s)
		return ok
	}
	n, ok := d.number()
	*into = intstr.IntOrString{IntVal: int32(n)}
	return ok && n == int64(int32(n))
}

// number reads a whole number that is not very long.
func (d *decoder) number() (int64, bool) {
	const longest = 18
	negative := d.at < len(d.b) && d.b[d.at] == '-'
	if negative {
		d.at++
	}
	from, n := d.at, int64(0)
	for d.at < len(d.b) && d.b[d.at] >= '0' && d.b[d.at] <= '9' && d.at-from <= longest {
		n = n*10 + int64(d.b[d.at]-'0')
		d.at++
	}
	if length := d.at - from; length == 0 || length > longest || length > 1 && d.b[from] == '0' {
		return 0, false
	}
	if negative {
		n = -n
	}
	return n, true
}
