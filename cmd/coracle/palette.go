package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/term"
)

// palette colours what people read on a terminal; false leaves everything as it is.
type palette bool

// paletteFor is colour for a terminal, unless NO_COLOR (https://no-color.org) or a terminal that is dumb says otherwise.
func paletteFor(w io.Writer) palette {
	f, ok := w.(*os.File)
	return palette(ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd())))
}

func (p palette) good(s string) string { return p.paint("32", s) }
func (p palette) bad(s string) string  { return p.paint("31", s) }
func (p palette) head(s string) string { return p.paint("1", s) }
func (p palette) hint(s string) string { return p.paint("36", s) }

func (p palette) paint(code, s string) string {
	if !p {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// verdict is an authenticator's or authorizer's word, in its colour.
func (p palette) verdict(s string) string {
	switch s {
	case "allow", "accepted", "allowed":
		return p.good(s)
	case "deny", "refused", "denied", "failed":
		return p.bad(s)
	}
	return s
}

// code is an HTTP status, in its colour.
func (p palette) code(code int) string {
	if code >= 400 {
		return p.bad(fmt.Sprint(code))
	}
	return p.good(fmt.Sprint(code))
}

// clean writes out what a terminal would act upon: paths, names and user agents are what somebody sent. Lines stay lines.
func clean(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r == '\n' || unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// cleanWord is clean for what is one line.
func cleanWord(s string) string { return strings.ReplaceAll(clean(s), "\n", `\n`) }
