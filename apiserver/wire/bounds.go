package wire

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/yaml"
)

// What a body may hold, beside its size. Upstream has no such bounds.
const (
	// maxDigits is how long a number may be. What reads quantities takes time by the square of it.
	maxDigits = 10_000
	// maxExponent is how many digits its exponent may have. 1E-999999999 is sixteen bytes as a quantity, and then a number of a
	// billion digits that has to be rounded.
	maxExponent = 3
	// maxListed is how many objects may be items of lists: {}, is three bytes in a body, and 600 as a container of a pod, which is
	// copied several times on its way.
	maxListed = 1 << 16
)

func check(b []byte, media string) error {
	switch media {
	case Protobuf:
		return checkProtobuf(b)
	case YAML:
		asJSON, err := yaml.YAMLToJSON(b)
		if err != nil {
			return nil // as whoever reads it will say
		}
		b = asJSON
	}
	return CheckJSON(b)
}

// CheckJSON refuses a document that takes far more to be read than to be sent. What is no JSON is let through: whoever reads it says so.
func CheckJSON(b []byte) error {
	listed := 0
	var open []byte // the kinds of brackets that are open
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			first, escaped := i+1, false
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					escaped = true
					i++
				}
			}
			text := b[first:min(i, len(b))]
			if escaped {
				var plain string
				if json.Unmarshal(b[first-1:min(i+1, len(b))], &plain) == nil {
					text = []byte(plain)
				}
			}
			if err := checkNumber(text); err != nil {
				return err
			}
		case c == '{' || c == '[':
			if c == '{' && len(open) > 0 && open[len(open)-1] == '[' {
				if listed++; listed > maxListed {
					return tooMany()
				}
			}
			open = append(open, c)
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
	}
	return nil
}

// checkProtobuf looks for numbers where quantities have them: they are messages with one text, their first field.
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
		if from := i + 1 + size; size > 0 && n <= uint64(len(b)-from) {
			if err := checkNumber(b[from : from+int(n)]); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxNesting is how deep messages are looked into: deeper than the objects of any kind.
const maxNesting = 30

// small counts the fields of a message, and of those in it, that are next to nothing: empty items of lists are such. It says false
// of what is no message but a text.
func small(b []byte, nesting int) (n int, ok bool) {
	const tiny = 8
	for len(b) > 0 {
		_, kind, size := protowire.ConsumeTag(b)
		if size < 0 {
			return 0, false
		}
		b = b[size:]
		if kind != protowire.BytesType {
			if size = protowire.ConsumeFieldValue(1, kind, b); size < 0 {
				return 0, false
			}
			b = b[size:]
			continue
		}
		value, size := protowire.ConsumeBytes(b)
		if size < 0 {
			return 0, false
		}
		b = b[size:]
		if len(value) <= tiny {
			n++
		} else if nesting > 0 {
			below, _ := small(value, nesting-1)
			n += below
		}
	}
	return n, true
}

func tooMany() error {
	return apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("no more than %d objects may be in lists", maxListed))
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
