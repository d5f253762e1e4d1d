package main

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

// terminal is a slog.Handler for people: time, level, message, and then key=value.
//
// Much of what a server logs was chosen by those who called it (names, paths, user agents), so whatever a terminal
// would act upon is quoted: no line feed forges a second line, no escape sequence repaints the first.
type terminal struct {
	mu     *sync.Mutex // guards out
	out    io.Writer
	level  slog.Leveler
	attrs  string // those of WithAttrs, written out
	prefix string // those of WithGroup, "a.b."
}

func newTerminal(out io.Writer, level slog.Leveler) *terminal {
	return &terminal{mu: new(sync.Mutex), out: out, level: level}
}

func (t *terminal) Enabled(_ context.Context, level slog.Level) bool { return level >= t.level.Level() }

func (t *terminal) Handle(_ context.Context, r slog.Record) error {
	var line strings.Builder
	if !r.Time.IsZero() {
		line.WriteString(r.Time.Format("15:04:05.000 "))
	}
	level := r.Level.String()
	line.WriteString(level + strings.Repeat(" ", max(1, 6-len(level))))
	line.WriteString(printable(r.Message, false))
	line.WriteString(t.attrs)
	r.Attrs(func(a slog.Attr) bool {
		write(&line, t.prefix, a)
		return true
	})
	line.WriteByte('\n')
	t.mu.Lock()
	defer t.mu.Unlock()
	_, err := io.WriteString(t.out, line.String())
	return err
}

func (t *terminal) WithAttrs(attrs []slog.Attr) slog.Handler {
	var more strings.Builder
	for _, a := range attrs {
		write(&more, t.prefix, a)
	}
	with := *t
	with.attrs += more.String()
	return &with
}

func (t *terminal) WithGroup(name string) slog.Handler {
	if name == "" {
		return t
	}
	with := *t
	with.prefix += name + "."
	return &with
}

// write appends an attribute; those of a group are written each.
func write(line *strings.Builder, prefix string, a slog.Attr) {
	value := a.Value.Resolve()
	switch {
	case value.Kind() == slog.KindGroup:
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, member := range value.Group() {
			write(line, prefix, member)
		}
	case a.Equal(slog.Attr{}): // nothing, says slog.Handler
	default:
		line.WriteString(" " + printable(prefix+a.Key, true) + "=" + printable(value.String(), true))
	}
}

// printable returns text as it is where it can mislead nobody, and quoted otherwise. Between keys and values a space
// misleads as well.
func printable(text string, single bool) string {
	misleads := func(r rune) bool {
		return !unicode.IsPrint(r) || r == unicode.ReplacementChar || single && (r == ' ' || r == '"' || r == '=')
	}
	if single && text == "" || strings.ContainsFunc(text, misleads) {
		return strconv.Quote(text)
	}
	return text
}
