package shell

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// reader takes a script apart into words and the signs between them.
type reader struct {
	text    string
	p       *process
	ctx     context.Context
	streams Streams
	// assigns says that the last word began with NAME=, unquoted.
	assigns bool
}

var errTooLong = errors.New("a word is too long")

const signs = ";&|<>\n"

// next returns the next word, expanded, or sign; "" is the end.
func (r *reader) next() (token string, word bool, err error) {
	r.text = strings.TrimLeft(r.text, " \t\r")
	if strings.HasPrefix(r.text, "#") {
		_, after, found := strings.Cut(r.text, "\n")
		if r.text = after; found {
			return ";", false, nil
		}
	}
	if r.text == "" {
		return "", false, nil
	}
	if strings.ContainsRune(signs, rune(r.text[0])) {
		for _, sign := range []string{"&&", "||", ">>"} {
			if strings.HasPrefix(r.text, sign) {
				r.text = r.text[2:]
				return sign, false, nil
			}
		}
		sign := r.text[:1]
		r.text = r.text[1:]
		if sign == "\n" {
			sign = ";"
		}
		return sign, false, nil
	}
	token, err = r.word()
	if *r.p.left -= len(token); err == nil && *r.p.left < 0 {
		err = errTooLong
	}
	return token, true, err
}

// word reads one word: quoted parts, expansions and what stands between them.
func (r *reader) word() (string, error) {
	var b strings.Builder
	r.assigns = false
	plain := true // nothing quoted or expanded so far
	for r.text != "" {
		if b.Len() > maxOutput {
			return "", errTooLong
		}
		c := r.text[0]
		switch {
		case c == '\'':
			inner, after, found := strings.Cut(r.text[1:], "'")
			if !found {
				return "", errors.New("syntax error: unterminated quoted string")
			}
			b.WriteString(inner)
			r.text, plain = after, false
		case c == '"':
			r.text, plain = r.text[1:], false
			if err := r.quoted(&b); err != nil {
				return "", err
			}
		case c == '$':
			plain = false
			if err := r.dollar(&b); err != nil {
				return "", err
			}
		case c == '\\' && len(r.text) > 1:
			b.WriteByte(r.text[1])
			r.text, plain = r.text[2:], false
		case c == '`' || c == '(' || c == ')':
			return "", fmt.Errorf("syntax error: this shell does not know %q", c)
		case c == ' ' || c == '\t' || c == '\r' || strings.IndexByte(signs, c) >= 0:
			return b.String(), nil
		default:
			if c == '=' && plain && isName(b.String()) {
				r.assigns = true
			}
			b.WriteByte(c)
			r.text = r.text[1:]
		}
	}
	if b.Len() > maxOutput {
		return "", errTooLong
	}
	return b.String(), nil
}

// quoted reads up to the closing quote.
func (r *reader) quoted(b *strings.Builder) error {
	for r.text != "" && b.Len() <= maxOutput {
		switch c := r.text[0]; {
		case c == '"':
			r.text = r.text[1:]
			return nil
		case c == '$':
			if err := r.dollar(b); err != nil {
				return err
			}
		case c == '\\' && len(r.text) > 1 && strings.IndexByte("\"\\$`", r.text[1]) >= 0:
			b.WriteByte(r.text[1])
			r.text = r.text[2:]
		default:
			b.WriteByte(c)
			r.text = r.text[1:]
		}
	}
	if r.text != "" {
		return errTooLong
	}
	return errors.New("syntax error: unterminated quoted string")
}

// dollar expands $NAME, ${NAME}, $? and $(command).
func (r *reader) dollar(b *strings.Builder) error {
	rest := r.text[1:]
	switch {
	case strings.HasPrefix(rest, "("):
		inner, after, err := enclosed(rest[1:])
		if err != nil {
			return err
		}
		r.text = after
		if r.p.depth > maxDepth {
			return nil // read, but not run
		}
		out := limited{left: maxOutput}
		child := r.p.child()
		child.script(r.ctx, inner, Streams{In: strings.NewReader(""), Out: &out, Err: r.streams.Err})
		b.WriteString(strings.TrimRight(out.String(), "\n"))
	case strings.HasPrefix(rest, "{"):
		name, after, found := strings.Cut(rest[1:], "}")
		if !found || !isName(name) {
			return errors.New("syntax error: bad substitution")
		}
		b.WriteString(r.p.env[name])
		r.text = after
	case strings.HasPrefix(rest, "?"):
		fmt.Fprint(b, r.p.last)
		r.text = rest[1:]
	default:
		n := 0
		for n < len(rest) && isName(rest[:n+1]) {
			n++
		}
		if n == 0 {
			b.WriteByte('$')
		}
		b.WriteString(r.p.env[rest[:n]])
		r.text = rest[n:]
	}
	return nil
}

// enclosed is what stands before the parenthesis that closes.
func enclosed(text string) (inner, after string, err error) {
	open, quote := 1, byte(0)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && quote != '\'':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '(':
			open++
		case c == ')':
			if open--; open == 0 {
				return text[:i], text[i+1:], nil
			}
		}
	}
	return "", "", errors.New("syntax error: unterminated $(")
}

func isName(s string) bool {
	for i, c := range []byte(s) {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
