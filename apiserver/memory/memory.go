// Package memory reads and writes values where they are in memory, for walks over whole objects that know from a plan of the types
// what lies where. On the way of every write that costs a third of what reflect.Value takes. It is the only package that imports unsafe.
//
// Nothing here checks types: whoever holds a Place knows what is there, from the type whose offset, size or element led to it. What
// is rare goes through Value, as reflection sees it. What is built with -race checks each pointer that is made (-d=checkptr).
package memory

import (
	"reflect"
	"unsafe"
)

// Place is where a value is. The zero Place is nowhere. A Place keeps alive what it is in.
type Place struct{ at unsafe.Pointer }

// Of is the place of an addressable value.
func Of(v reflect.Value) Place { return Place{unsafe.Pointer(v.UnsafeAddr())} }

// New is the place of a new value of a type, with nothing in it.
func New(t reflect.Type) Place { return Place{reflect.New(t).UnsafePointer()} }

// As is a pointer to the T that is there, or to what lies in memory as a T does.
func As[T any](p Place) *T { return (*T)(p.at) }

// Value is what is there, of type t.
func (p Place) Value(t reflect.Type) reflect.Value { return reflect.NewAt(t, p.at).Elem() }

// Nowhere tells of the zero Place.
func (p Place) Nowhere() bool { return p.at == nil }

// Field is the place of a field of the struct that is there, by reflect.StructField.Offset.
func (p Place) Field(offset uintptr) Place { return Place{unsafe.Add(p.at, offset)} }

// Pointee is where the pointer leads that is there.
func (p Place) Pointee() Place { return Place{*(*unsafe.Pointer)(p.at)} }

// Point lets the pointer that is there lead to another place.
func (p Place) Point(to Place) { *(*unsafe.Pointer)(p.at) = to.at }

// Blank tells whether the memory is all zero of what is there, of one size. A value may be zero otherwise as well: an empty string
// can have been part of another.
func (p Place) Blank(size uintptr) bool {
	const word = unsafe.Sizeof(uint64(0))
	words := size / word
	for _, w := range unsafe.Slice((*uint64)(p.at), words) {
		if w != 0 {
			return false
		}
	}
	for i := words * word; i < size; i++ {
		if *(*byte)(p.Field(i).at) != 0 {
			return false
		}
	}
	return true
}

// Same tells whether what is there lies in memory as what is at another place, of one size: whether one is a copy of the other. Other
// values may be equal as well.
func (p Place) Same(o Place, size uintptr) bool {
	return unsafe.String((*byte)(p.at), size) == unsafe.String((*byte)(o.at), size)
}

// Items is how many items the slice has that is there, and the place of the first, if there is one.
func (p Place) Items() (first Place, n int) {
	s := (*slice)(p.at)
	return Place{s.first}, s.length
}

// Item is the place of the item behind i others, of one size.
func (p Place) Item(i int, size uintptr) Place { return Place{unsafe.Add(p.at, uintptr(i)*size)} }

// slice is how a slice lies in memory, and at its beginning a string.
type slice struct {
	first    unsafe.Pointer
	length   int
	capacity int
}

// Field is where a field of a struct is, and how it is told whether it is empty. It is small, since walks look at all fields, of which most
// are empty: those of a struct of fifty are in a few lines of the processor's cache.
type Field struct {
	offset uint32
	empty  emptiness
}

// emptiness is how a value lies in memory that may be empty, in the meaning of omitempty.
type emptiness uint8

const (
	never emptiness = iota
	one             // a whole number or a bool of so many bytes
	two
	four
	eight
	pointer
	counted // a string or a slice
	mapping
)

// FieldAt returns the field at an offset, and never tells that it is empty.
func FieldAt(offset uintptr) Field { return Field{offset: uint32(offset)} }

// Omitted returns the field at an offset, told to be empty if omitempty would leave it out. It says false of a type whose values are
// never empty, or are not told so from memory: structs, arrays, interfaces, and numbers with fractions.
func Omitted(offset uintptr, t reflect.Type) (Field, bool) {
	f := FieldAt(offset)
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		f.empty = map[uintptr]emptiness{1: one, 2: two, 4: four, 8: eight}[t.Size()]
	case reflect.Pointer:
		f.empty = pointer
	case reflect.String, reflect.Slice:
		f.empty = counted
	case reflect.Map:
		f.empty = mapping
	}
	return f, f.empty != never
}

// In is the place of the field in the struct that is there, and whether it is empty.
func (f Field) In(p Place) (at Place, empty bool) {
	at = p.Field(uintptr(f.offset))
	return at, f.empty != never && f.empty.of(at)
}

func (e emptiness) of(p Place) bool {
	switch e {
	case one:
		return *(*uint8)(p.at) == 0
	case two:
		return *(*uint16)(p.at) == 0
	case four:
		return *(*uint32)(p.at) == 0
	case eight:
		return *(*uint64)(p.at) == 0
	case pointer:
		return *(*unsafe.Pointer)(p.at) == nil
	case counted:
		return *(*int)(unsafe.Add(p.at, unsafe.Offsetof(slice{}.length))) == 0
	}
	return len(*(*map[string]string)(p.at)) == 0 // which asks what maps of all types begin with
}
