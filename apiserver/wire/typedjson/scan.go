package typedjson

import "bytes"

// scanner walks over JSON.
type scanner struct {
	b     []byte
	at    int
	loose bool // white space was passed, or text that json.Marshal would write otherwise
}

// next passes white space, and returns the byte behind it: 0 at the end.
func (s *scanner) next() byte {
	for ; s.at < len(s.b); s.at++ {
		switch c := s.b[s.at]; c {
		case ' ', '\n', '\t', '\r':
			s.loose = true
		default:
			return c
		}
	}
	return 0
}

// maxDepth is how deep values may nest that are passed over.
const maxDepth = 200

// skip passes over a valid value at a depth, and returns false of any other.
func (s *scanner) skip(depth int) bool {
	switch c := s.next(); c {
	case '"':
		return s.skipText()
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	case '{', '[':
		return depth < maxDepth && s.skipMembers(c+2, depth+1) // both close by what is two further
	}
	return s.skipNumber()
}

// pass passes over a valid value, most of which are sets of fields.
func (s *scanner) pass() bool {
	from := s.at
	if s.objects() {
		return true
	}
	s.at = from
	return s.skip(0)
}

// objects passes over a valid object in which there are none but others, as sets of fields are, without white space.
func (s *scanner) objects() bool {
	depth, last := 0, byte(':')
	for s.at < len(s.b) {
		c := s.b[s.at]
		switch {
		case c == '{' && last == ':' && depth < maxDepth:
			depth++
		case c == '"' && (last == '{' || last == ','):
			if !s.skipText() || s.at == len(s.b) || s.b[s.at] != ':' {
				return false
			}
			c = ':'
		case c == ',' && last == '}':
		case c == '}' && (last == '{' || last == '}'):
			if depth--; depth == 0 {
				s.at++
				return true
			}
		default:
			return false
		}
		s.at++
		last = c
	}
	return false
}

func (s *scanner) skipMembers(end byte, depth int) bool {
	s.at++
	if s.next() == end {
		s.at++
		return true
	}
	for {
		if end == '}' {
			if s.next() != '"' || !s.skipText() || s.next() != ':' {
				return false
			}
			s.at++
		}
		if !s.skip(depth) {
			return false
		}
		switch s.next() {
		case ',':
			s.at++
		case end:
			s.at++
			return true
		default:
			return false
		}
	}
}

// BehindText returns the offset behind the text at b[at], or len(b) where it is cut short.
func BehindText(b []byte, at int) int {
	from := at + 1
	for at++; at < len(b); at++ {
		quote := bytes.IndexByte(b[at:], '"')
		if quote < 0 {
			break
		}
		at += quote
		escapes := 0
		for at-escapes > from && b[at-escapes-1] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return at + 1
		}
	}
	return len(b)
}

func (s *scanner) literal(is string) bool {
	if len(s.b)-s.at < len(is) || string(s.b[s.at:s.at+len(is)]) != is {
		return false
	}
	s.at += len(is)
	return true
}

// skipText passes over a text, of whatever encoding.
func (s *scanner) skipText() bool {
	b := s.b
	for i := s.at + 1; i < len(b); i++ {
		switch c := b[i]; {
		case plain[c]:
		case c == '"':
			s.at = i + 1
			return true
		case c < ' ':
			return false
		case c == '\\':
			n := escapeLength(b[i:])
			if n == 0 {
				return false
			}
			i += n - 1
		default:
			s.loose = s.loose || c < 0x80 || c == 0xe2 // what begins U+2028
		}
	}
	return false
}

// escapeLength is how long the escape is that b begins with, 0 if it is none.
func escapeLength(b []byte) int {
	const short, long = 2, 6
	if len(b) < short {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return short
	case 'u':
		if _, ok := fourDigits(b); ok {
			return long
		}
	}
	return 0
}

// fourDigits reads an escape like \u20ac.
func fourDigits(b []byte) (r rune, ok bool) {
	const length = 6
	if len(b) < length || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	for _, c := range b[2:length] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

func (s *scanner) skipNumber() bool {
	if s.at < len(s.b) && s.b[s.at] == '-' {
		s.at++
	}
	if s.at < len(s.b) && s.b[s.at] == '0' {
		s.at++
	} else if !s.digits() {
		return false
	}
	if s.at < len(s.b) && s.b[s.at] == '.' {
		if s.at++; !s.digits() {
			return false
		}
	}
	if s.at < len(s.b) && (s.b[s.at] == 'e' || s.b[s.at] == 'E') {
		if s.at++; s.at < len(s.b) && (s.b[s.at] == '+' || s.b[s.at] == '-') {
			s.at++
		}
		return s.digits()
	}
	return true
}

// digits passes over one or more of them.
func (s *scanner) digits() bool {
	from := s.at
	for s.at < len(s.b) && s.b[s.at] >= '0' && s.b[s.at] <= '9' {
		s.at++
	}
	return s.at > from
}

// compact tells of valid JSON that json.Marshal would write just so. It may say false of such.
func compact(b []byte) bool {
	s := scanner{b: b}
	return s.pass() && s.at == len(b) && !s.loose
}
