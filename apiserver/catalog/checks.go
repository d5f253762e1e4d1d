package catalog

import (
	"cmp"
	"path"
	"slices"
	"strings"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Checks of single values that many kinds share. Each answers with what is wrong, nil for nothing.

// before are values that came before in a list.
type before[T comparable] map[T]bool

// has tells whether v came before, and notes it.
func (b before[T]) has(v T) bool {
	had := b[v]
	b[v] = true
	return had
}

// needed reports a text that is missing.
func needed(at *field.Path, text string) errorList {
	if text == "" {
		return errorList{field.Required(at, "")}
	}
	return nil
}

// oneOf reports a value that is none of the known ones, which are listed to the user in the order given.
func oneOf[T ~string](at *field.Path, v T, known ...T) errorList {
	if slices.Contains(known, v) {
		return nil
	}
	return errorList{field.NotSupported(at, v, known)}
}

// neededOneOf reports a missing value, or one that is none of the known ones.
func neededOneOf[T ~string](at *field.Path, v T, known ...T) errorList {
	if v == "" {
		return errorList{field.Required(at, "")}
	}
	return oneOf(at, v, known...)
}

// knownIfSet reports a value that is set and none of the known ones.
func knownIfSet[T ~string](at *field.Path, v *T, known ...T) errorList {
	if v == nil {
		return nil
	}
	return oneOf(at, *v, known...)
}

func dnsLabel(at *field.Path, s string) errorList {
	return invalidEach(at, s, isDNSLabel(s))
}

func dnsSubdomain(at *field.Path, s string) errorList {
	return invalidEach(at, s, isDNSSubdomain(s))
}

func qualifiedName(at *field.Path, s string) errorList {
	return invalidEach(at, s, isQualifiedName(s))
}

// neededLabel reports a missing text, or one that is no DNS label.
func neededLabel(at *field.Path, s string) errorList {
	if s == "" {
		return errorList{field.Required(at, "")}
	}
	return dnsLabel(at, s)
}

// objectName reports what a rule for names of objects has against a name. Each of the rules lets DNS labels through.
func objectName(at *field.Path, name string, rule apivalidation.ValidateNameFunc) errorList {
	if plainLabel(name) {
		return nil
	}
	return invalidEach(at, name, rule(name, false))
}

// positive reports a number below one.
func positive[N int | int32 | int64](at *field.Path, n N) errorList {
	if n <= 0 {
		return errorList{field.Invalid(at, int64(n), "must be greater than zero")}
	}
	return nil
}

// within reports a number out of a range, ends included.
func within[N int32 | int64](at *field.Path, n N, low, high N) errorList {
	if n < low || n > high {
		return errorList{field.Invalid(at, n, validation.InclusiveRangeError(int(low), int(high)))}
	}
	return nil
}

func portNumber(at *field.Path, port int32) errorList {
	return invalidEach(at, port, validation.IsValidPortNum(int(port)))
}

func portNumberOrName(at *field.Path, p intstr.IntOrString) errorList {
	if p.Type == intstr.Int {
		return portNumber(at, p.IntVal)
	}
	return invalidEach(at, p.StrVal, isPortName(p.StrVal))
}

func userID(at *field.Path, id *int64) errorList {
	if id == nil {
		return nil
	}
	return invalidEach(at, *id, validation.IsValidUserID(*id))
}

func groupID(at *field.Path, id *int64) errorList {
	if id == nil {
		return nil
	}
	return invalidEach(at, *id, validation.IsValidGroupID(*id))
}

// anIP reports what is no IP address in its canonical form.
func anIP(at *field.Path, ip string) errorList {
	return validation.IsValidIPForLegacyField(at, ip, true, nil)
}

// aCIDR reports what is no range of IP addresses in its canonical form.
func aCIDR(at *field.Path, cidr string) errorList {
	return validation.IsValidCIDRForLegacyField(at, cidr, true, nil)
}

// fileMode reports permissions beyond those of a file.
func fileMode(at *field.Path, mode *int32) errorList {
	if mode != nil && (*mode < 0 || *mode > 0o777) {
		return errorList{field.Invalid(at, *mode, "must be a number between 0 and 0777 (octal), both inclusive")}
	}
	return nil
}

// ownPath keeps a file that Kubernetes writes inside its volume, and apart from the names that start with two dots,
// under which the kubelet swaps contents.
func ownPath(at *field.Path, p string) errorList {
	errs := descendingPath(at, p)
	if strings.HasPrefix(p, "..") && !strings.HasPrefix(p, "../") {
		errs = append(errs, field.Invalid(at, p, "must not start with '..'"))
	}
	return errs
}

// descendingPath keeps a path inside the directory that it is relative to.
func descendingPath(at *field.Path, p string) errorList {
	var errs errorList
	if path.IsAbs(p) {
		errs = append(errs, field.Invalid(at, p, "must be a relative path"))
	}
	return append(errs, noBacksteps(at, p)...)
}

func noBacksteps(at *field.Path, p string) errorList {
	if slices.Contains(strings.Split(p, "/"), "..") {
		return errorList{field.Invalid(at, p, "must not contain '..'")}
	}
	return nil
}

// sorted is a map in the order of its keys, so that the same object is always answered in the same words. To go through it is a method,
// as with allContainers.
func sorted[K cmp.Ordered, V any](m map[K]V) inOrder[K, V] { return m }

type inOrder[K cmp.Ordered, V any] map[K]V

func (m inOrder[K, V]) each(yield func(K, V) bool) {
	var few [8]K // which are not allocated
	keys := few[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if !yield(k, m[k]) {
			return
		}
	}
}

// padded tells whether a text starts or ends with white space.
func padded(s string) bool { return strings.TrimSpace(s) != s }
