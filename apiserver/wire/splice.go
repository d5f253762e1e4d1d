package wire

import (
	"errors"
	"strconv"

	"coracle/apiserver/wire/typedjson"
)

// Stored objects are JSON without metadata.resourceVersion: the revision is known only after the write.
// Splice puts it in, where Kubernetes' own encoding has it: right after the uid.

var errNoMetadata = errors.New("stored object has no metadata")

// Splice returns a copy of a stored object with its resourceVersion.
func Splice(stored []byte, revision int64) ([]byte, error) {
	at, err := insertion(stored)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(stored)+len(`,"resourceVersion":"",`)+20)
	out = append(out, stored[:at]...)
	open := stored[at-1] == '{' // an object without uid: the version comes first
	if !open {
		out = append(out, ',')
	}
	out = append(out, `"resourceVersion":"`...)
	out = strconv.AppendInt(out, revision, 10)
	out = append(out, '"')
	if open && stored[at] != '}' {
		out = append(out, ',')
	}
	return append(out, stored[at:]...), nil
}

// Respliced returns a copy of a served object with another resourceVersion.
func Respliced(served []byte, revision int64) ([]byte, error) {
	metadata, ok := member(served, 0, "metadata")
	if !ok {
		return nil, errNoMetadata
	}
	at, ok := member(served, metadata, "resourceVersion")
	if !ok {
		return nil, errNoMetadata
	}
	end := skip(served, at)
	out := make([]byte, 0, len(served)+20)
	out = append(append(out, served[:at]...), '"')
	out = append(strconv.AppendInt(out, revision, 10), '"')
	return append(out, served[end:]...), nil
}

// insertion finds the offset behind metadata.uid, or behind metadata's brace where there is no uid.
func insertion(b []byte) (int, error) {
	at, ok := member(b, 0, "metadata")
	if !ok || at >= len(b) || b[at] != '{' {
		return 0, errNoMetadata
	}
	if uid, ok := member(b, at, "uid"); ok {
		return skip(b, uid), nil
	}
	return at + 1, nil
}

// member finds the value of a key in the compact JSON object that begins at b[at].
func member(b []byte, at int, key string) (int, bool) {
	if at >= len(b) || b[at] != '{' {
		return 0, false
	}
	at++
	for at < len(b) && b[at] == '"' {
		end := skip(b, at)
		if end+1 >= len(b) || b[end] != ':' {
			return 0, false
		}
		if string(b[at+1:end-1]) == key {
			return end + 1, true
		}
		at = skip(b, end+1)
		if at < len(b) && b[at] == ',' {
			at++
		}
	}
	return 0, false
}

// skip returns the offset behind the value at b[at], or len(b) where it is cut short.
func skip(b []byte, at int) int {
	if at >= len(b) {
		return len(b)
	}
	switch b[at] {
	case '"':
		return typedjson.BehindText(b, at)
	case '{', '[':
		depth := 0
		for i := at; i < len(b); i++ {
			switch b[i] {
			case '"':
				i = typedjson.BehindText(b, i) - 1
			case '{', '[':
				depth++
			case '}', ']':
				depth--
				if depth == 0 {
					return i + 1
				}
			}
		}
		return len(b)
	}
	for i := at; i < len(b); i++ {
		switch b[i] {
		case ',', '}', ']':
			return i
		}
	}
	return len(b)
}

// Parts are members of a JSON object by their keys: all of a member, or parts of it, where those are not nil.
type Parts map[string]Parts

// Pick returns a compact JSON object with nothing but some parts of it, and false for what is not one.
func Pick(b []byte, parts Parts) ([]byte, bool) {
	return pick(make([]byte, 0, len(b)), b, parts)
}

func pick(out, b []byte, parts Parts) ([]byte, bool) {
	if len(b) == 0 || b[0] != '{' {
		return nil, false
	}
	out = append(out, '{')
	first := true
	for at := 1; at < len(b) && b[at] == '"'; {
		end := skip(b, at)
		if end+1 >= len(b) || b[end] != ':' {
			return nil, false
		}
		next := skip(b, end+1)
		if below, wanted := parts[string(b[at+1:end-1])]; wanted {
			if !first {
				out = append(out, ',')
			}
			first = false
			out = append(out, b[at:end+1]...)
			if below != nil && b[end+1] == '{' {
				var ok bool
				if out, ok = pick(out, b[end+1:next], below); !ok {
					return nil, false
				}
			} else {
				out = append(out, b[end+1:next]...)
			}
		}
		if at = next; at < len(b) && b[at] == ',' {
			at++
		}
	}
	return append(out, '}'), true
}
