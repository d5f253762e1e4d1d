package env

import (
	"fmt"
	"slices"
	"strings"
)

// Expand replaces $(NAME) in s by what lookup finds, and leaves it as it is where lookup finds nothing.
// $$ stands for one $, so $$(NAME) is never replaced. Other uses of $ are left alone.
// Source: the Kubernetes API's description of Container.args.
func Expand(s string, lookup func(name string) (value string, ok bool)) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(s, "$")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		switch {
		case strings.HasPrefix(rest, "$"):
			out.WriteByte('$')
			s = rest[1:]
		case strings.HasPrefix(rest, "("):
			name, after, closed := strings.Cut(rest[1:], ")")
			if !closed {
				out.WriteString("$(")
				s = rest[1:]
				continue
			}
			if value, ok := lookup(name); ok {
				out.WriteString(value)
			} else {
				out.WriteString("$(" + name + ")")
			}
			s = after
		default:
			out.WriteByte('$')
			s = rest
		}
	}
}

// Args expands a command line.
func (e Env) Args(args []string) []string {
	out := make([]string, len(args))
	for i, arg := range args {
		out[i] = Expand(arg, func(name string) (string, bool) { value, ok := e[name]; return value, ok })
	}
	return out
}

// SubPath expands the subPathExpr of a mount, where every variable must have a value.
func (e Env) SubPath(expr string) (string, error) {
	var missing []string
	path := Expand(expr, func(name string) (string, bool) {
		if e[name] == "" {
			missing = append(missing, name)
		}
		return e[name], true
	})
	if len(missing) > 0 {
		slices.Sort(missing)
		return "", fmt.Errorf("missing value for %s", strings.Join(slices.Compact(missing), ", "))
	}
	return path, nil
}
