package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"coracle/apiserver/wire/typedjson"
)

// What a body may hold, beside its size. Upstream has no such bounds.
const (
	// maxDigits is how long a number may be. What reads quantities takes time by the square of it.
	maxDigits = 10_000
	// maxExponent is how many digits its exponent may have. 1E-999999999 is sixteen bytes as a quantity, and then a number of a
	// billion digits that has to be rounded.
	maxExponent = 3
	// maxListed is how many items lists may have, taken together: {}, is three bytes in a body, and 600 as a container of a pod, which
	// is copied several times on its way; and what is wrong with an item is worded at length. Of a custom resource objects alone count.
	maxListed = 1 << 16
	// maxOpen is how deep JSON may nest for those who read it.
	maxOpen = 10_000
)

// check looks at a body that is to become an object: of, or a custom resource if that is nil.
func check(b []byte, media string, of runtime.Object) error {
	switch media {
	case Protobuf:
		return checkProtobuf(b)
	case YAML:
		if err := checkYAML(b); err != nil {
			return err
		}
		asJSON, err := yaml.YAMLToJSON(b)
		if err != nil {
			return nil // as whoever reads it will say
		}
		b = asJSON
	}
	return CheckJSON(b, of)
}

// YAMLToJSON is yaml.YAMLToJSON, for what somebody has sent.
func YAMLToJSON(b []byte) ([]byte, error) {
	if err := checkYAML(b); err != nil {
		return nil, err
	}
	return yaml.YAMLToJSON(b)
}

// checkYAML refuses more directives than a document has use for: each is compared with all before it.
func checkYAML(b []byte) error {
	const maxDirectives = 100
	if bytes.IndexByte(b, 0) >= 0 { // it may be UTF-16
		b = bytes.ReplaceAll(b, []byte{0}, nil)
	}
	if n := bytes.Count(b, []byte("%TAG")); n > maxDirectives {
		return apierrors.NewBadRequest(fmt.Sprintf("yaml: %d tag directives are too many", n))
	}
	return nil
}

// CheckJSON refuses a document that takes far more to be read than to be sent. It is to become an object of the type of of, or a custom
// resource if that is nil. What is no JSON is let through: whoever reads it says so.
func CheckJSON(b []byte, of runtime.Object) error {
	listed, custom, suspect := 0, of == nil, false
	var open []byte // the kinds of brackets that are open
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			end := typedjson.BehindText(b, i)
			suspect = suspect || end > i+1 && (b[i+1] == '\\' || numeral(b[i+1])) && checkText(b[i:end]) != nil
			i = end - 1
		case c == '{' || c == '[':
			if within := len(open) > 0 && open[len(open)-1] == '['; custom && c == '{' && within || !custom && c == '[' {
				listed++
			}
			if open = append(open, c); len(open) > maxOpen {
				return nil // as whoever reads it will say
			}
		case c == ',' && !custom && len(open) > 0 && open[len(open)-1] == '[':
			listed++
		case c == '}' || c == ']':
			if len(open) > 0 {
				open = open[:len(open)-1]
			}
		case c >= '0' && c <= '9' || c == '-':
			first := i
			for i+1 < len(b) && numeral(b[i+1]) {
				i++
			}
			if err := checkNumber(b[first : i+1]); err != nil {
				return err
			}
		}
		if listed > maxListed {
			return tooMany()
		}
	}
	if suspect && !custom { // a text like 83e1234 may be a commit as well
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		return checkQuantities(d, reflect.TypeOf(of))
	}
	return nil
}

// checkText is checkNumber of a text as it stands in a document.
func checkText(quoted []byte) error {
	text := bytes.Trim(quoted, `"`)
	if bytes.IndexByte(text, '\\') >= 0 {
		var plain string
		if json.Unmarshal(quoted, &plain) == nil {
			text = []byte(plain)
		}
	}
	return checkNumber(text)
}

// checkQuantities refuses a value that is to become one of type t, nil for any, if there are quantities in it that are too large. All
// members of a name are looked at: they are all read.
func checkQuantities(d *json.Decoder, t reflect.Type) error {
	token, err := d.Token()
	if err != nil {
		return nil // as whoever reads it will say
	}
	switch token := token.(type) {
	case string:
		if t == reflect.TypeFor[resource.Quantity]() || t == reflect.TypeFor[*resource.Quantity]() {
			return checkNumber([]byte(token))
		}
	case json.Delim:
		for d.More() {
			of := reflect.Type(nil)
			if token == '[' {
				of = itemType(t)
			} else if name, err := d.Token(); err != nil {
				return nil
			} else if name, ok := name.(string); ok {
				of = memberType(t, name)
			}
			if err := checkQuantities(d, of); err != nil {
				return err
			}
		}
		d.Token() // the bracket that closes it
	}
	return nil
}

func itemType(t reflect.Type) reflect.Type {
	if t = pointed(t); t == nil || t.Kind() != reflect.Slice && t.Kind() != reflect.Array {
		return nil
	}
	return t.Elem()
}

func memberType(t reflect.Type, name string) reflect.Type {
	switch t = pointed(t); {
	case t == nil:
		return nil
	case t.Kind() == reflect.Map:
		return t.Elem()
	case t.Kind() != reflect.Struct:
		return nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		called, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if called == name {
			return f.Type
		}
		if called == "" && f.Anonymous {
			if below := memberType(f.Type, name); below != nil {
				return below
			}
		}
	}
	return nil
}

func pointed(t reflect.Type) reflect.Type {
	if t != nil && t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// checkProtobuf looks for numbers where quantities have them: they are messages of one text, their first field, and nothing else.
func checkProtobuf(b []byte) error {
	const prefix = 4
	if len(b) > 2*maxListed {
		if n, _ := small(b[min(prefix, len(b)):], maxNesting); n > maxListed {
			return tooMany()
		}
	}
	const firstText = 0x0a
	for i := 0; i+1 < len(b); i++ {
		if b[i] != firstText || i+2 < len(b) && !numeral(b[i+2]) && b[i+1] < 0x80 {
			continue
		}
		n, size := binary.Uvarint(b[i+1:])
		if from := i + 1 + size; size > 0 && n <= uint64(len(b)-from) && endsVarint(b[:i], uint64(1+size)+n) {
			if err := checkNumber(b[from : from+int(n)]); err != nil {
				return err
			}
		}
	}
	return nil
}

// endsVarint tells whether bytes end with this number, as that of a message's length before it.
func endsVarint(b []byte, n uint64) bool { return bytes.HasSuffix(b, binary.AppendUvarint(nil, n)) }

// maxCrowd bounds the squares of how many members the objects and lists of a document have, taken together: one may have 30,000. Who
// owns which of them is noted in time by the square of their number.
const maxCrowd = 900_000_000

// Crowded tells of a valid document that has too much in one place for its fields' owners to be told apart.
func Crowded(b []byte) bool {
	const least = 30_000 * len(`0,`)
	if len(b) < least {
		return false
	}
	squares := 0
	eachList(b, func(_ byte, members int) { squares += members * members })
	return squares > maxCrowd
}

// Depths is in how many lists and objects each byte of a valid document is, taken together.
func Depths(b []byte) (sum int) {
	depth, from := 0, 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i = typedjson.BehindText(b, i) - 1
		case '[', '{':
			sum += depth * (i - from)
			depth, from = depth+1, i
		case ']', '}':
			sum += depth * (i - from)
			depth, from = depth-1, i
		}
	}
	return sum
}

// LongestList is how many items the longest list of a valid document has, or one more.
func LongestList(b []byte) (longest int) {
	eachList(b, func(bracket byte, members int) {
		if bracket == ']' {
			longest = max(longest, members)
		}
	})
	return longest
}

// eachList calls f with the closing bracket of every list and object, and with how many members it has; of an empty one it says 1.
func eachList(b []byte, f func(bracket byte, members int)) {
	var open []int
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i = typedjson.BehindText(b, i) - 1
		case '[', '{':
			open = append(open, 1)
		case ',':
			if len(open) > 0 {
				open[len(open)-1]++
			}
		case ']', '}':
			if n := len(open) - 1; n >= 0 {
				f(b[i], open[n])
				open = open[:n]
			}
		}
	}
}

// maxNesting is how deep messages are looked into: deeper than the objects of any kind.
const maxNesting = 30

// small counts the fields of a message, and of those in it, that are next to nothing: empty items of lists are such. It says false
// of what is no message but a text.
func small(b []byte, nesting int) (n int, ok bool) {
	const tiny = 8
	for len(b) > 0 {
		tag, size := binary.Uvarint(b)
		if size <= 0 {
			return 0, false
		}
		b = b[size:]
		skip := 0
		switch tag & 7 { // the type of the field, see https://protobuf.dev/programming-guides/encoding
		case 0:
			if _, skip = binary.Uvarint(b); skip <= 0 {
				return 0, false
			}
		case 1:
			skip = 8
		case 2:
			length, size := binary.Uvarint(b)
			if size <= 0 || length > uint64(len(b)-size) {
				return 0, false
			}
			skip = size + int(length)
			if length <= tiny {
				n++
			} else if nesting > 0 {
				below, _ := small(b[size:skip], nesting-1)
				n += below
			}
		case 3, 4: // a group begins, or ends
		case 5:
			skip = 4
		default:
			return 0, false
		}
		if skip > len(b) {
			return 0, false
		}
		b = b[skip:]
	}
	return n, true
}

func tooMany() error {
	return apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("no more than %d items may be in lists", maxListed))
}

// checkNumber refuses a text that is a number, or a quantity, of a size that nobody means.
func checkNumber(text []byte) error {
	digits := 0
	for digits < len(text) && (text[digits] == '+' || text[digits] == '-' || text[digits] == '.' || text[digits] >= '0' && text[digits] <= '9') {
		digits++
	}
	if digits == 0 {
		return nil
	}
	rest := text[digits:]
	const longestSuffix = 2
	if digits > maxDigits && len(rest) <= longestSuffix {
		return tooLarge(text)
	}
	if len(rest) <= 1+maxExponent || rest[0] != 'e' && rest[0] != 'E' {
		return nil
	}
	exponent := rest[1:]
	if exponent[0] == '+' || exponent[0] == '-' {
		exponent = exponent[1:]
	}
	for _, c := range exponent {
		if c < '0' || c > '9' {
			return nil
		}
	}
	if len(exponent) > maxExponent {
		return tooLarge(text)
	}
	return nil
}

func numeral(c byte) bool {
	return c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.' || c == 'e' || c == 'E'
}

func tooLarge(number []byte) error {
	const shown = 40
	return apierrors.NewBadRequest(fmt.Sprintf("%.*s is too large or too small a number: it may have %d digits, and an exponent of %d", shown, number, maxDigits, maxExponent))
}
