package typedjson

import (
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	maxShort = 64   // texts up to this length are kept together
	chunk    = 1024 // in pieces of this size, so that who keeps one of them keeps no more than this
	share    = 3    // or of this part of what is left of the document, of which the rest is names, numbers and brackets
)

// text reads a text in valid UTF-8 that begins with c.
func (d *decoder) text(c byte) (string, bool) {
	b, ok := d.textBytes(c)
	if !ok {
		return "", false
	}
	if len(b) > maxShort {
		return string(b), true
	}
	if d.short.Cap()-d.short.Len() < len(b) {
		d.short.Reset() // which lets go what was kept, and changes nothing of it
		d.short.Grow(max(len(b), min(chunk, (len(d.b)-d.at)/share)))
	}
	from := d.short.Len()
	d.short.Write(b)
	return d.short.String()[from:], true
}

// textBytes is valid until more is read.
func (d *decoder) textBytes(c byte) ([]byte, bool) {
	if c != '"' {
		return nil, false
	}
	from := d.at + 1
	i := from
	for i < len(d.b) && plain[d.b[i]] {
		i++
	}
	if i < len(d.b) && d.b[i] == '"' {
		d.at = i + 1
		return d.b[from:i], true
	}
	return d.escaped(from, i)
}

// escaped reads a text that begins at from and is plain up to i.
func (d *decoder) escaped(from, i int) ([]byte, bool) {
	out := d.scratch[:0]
	for i < len(d.b) {
		switch c := d.b[i]; {
		case plain[c] || c == '<' || c == '>' || c == '&':
			i++
		case c == '"':
			out = append(out, d.b[from:i]...)
			d.at, d.scratch = i+1, out
			return out, true
		case c < ' ':
			return nil, false
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRune(d.b[i:])
			if r == utf8.RuneError && size == 1 {
				return nil, false
			}
			i += size
		default:
			out = append(out, d.b[from:i]...)
			size := escapeLength(d.b[i:])
			switch size {
			case 0:
				return nil, false
			case 2:
				out = append(out, meant(d.b[i+1]))
			default:
				r, _ := fourDigits(d.b[i:])
				if utf16.IsSurrogate(r) {
					second, _ := fourDigits(d.b[i+size:])
					if r = utf16.DecodeRune(r, second); r == unicode.ReplacementChar {
						return nil, false
					}
					size *= 2
				}
				out = utf8.AppendRune(out, r)
			}
			i += size
			from = i
		}
	}
	return nil, false
}

// meant is what the letter of a short escape stands for.
func meant(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}
