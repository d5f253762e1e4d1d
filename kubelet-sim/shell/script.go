package shell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// script runs commands that are joined by ; && || | and line ends.
func (p *process) script(ctx context.Context, text string, s Streams) int {
	for rest := text; ; {
		tokens, after, err := p.pipeline(ctx, rest, s)
		if err != nil {
			fmt.Fprintf(s.Err, "sh: %v\n", err)
			p.last = 2
			return p.last
		}
		if len(tokens.commands) > 0 {
			p.last = p.pipe(ctx, tokens.commands, s)
		}
		if p.exited || ctx.Err() != nil || after == "" {
			return p.last
		}
		rest = after
		// What follows && and || is left out when it is decided; it has to be read all the same.
		for tokens.end == "&&" && p.last != 0 || tokens.end == "||" && p.last == 0 {
			skipped, after, err := (&process{Container: p.Container, env: map[string]string{}, depth: maxDepth + 1, left: p.left}).pipeline(ctx, rest, Streams{Out: io.Discard, Err: io.Discard})
			if err != nil || after == "" {
				return p.last
			}
			tokens.end, rest = skipped.end, after
		}
	}
}

// simple is one command with where its input comes from and its output goes to.
type simple struct {
	words   []string
	assigns []string
	in, out string
	add     bool
}

// line is what is read of a script until the next ; && || or line end.
type line struct {
	commands []simple
	end      string
}

// pipeline reads a pipe's commands, with everything in them expanded, and returns the rest of the script.
func (p *process) pipeline(ctx context.Context, text string, s Streams) (l line, rest string, err error) {
	r := &reader{text: text, p: p, ctx: ctx, streams: s}
	current := simple{}
	var redirect string
	for {
		token, word, err := r.next()
		if err != nil {
			return l, "", err
		}
		if word {
			switch {
			case redirect == "<":
				current.in = token
			case redirect != "":
				current.out, current.add = token, redirect == ">>"
			case len(current.words) == 0 && r.assigns:
				current.assigns = append(current.assigns, token)
			default:
				current.words = append(current.words, token)
			}
			redirect = ""
			continue
		}
		if redirect != "" {
			return l, "", errors.New("syntax error: a redirection needs the name of a file")
		}
		switch token {
		case "<", ">", ">>":
			redirect = token
		case "&":
			return l, "", errors.New("syntax error: this shell runs nothing in the background")
		default:
			empty := len(current.words) == 0 && len(current.assigns) == 0
			if empty && (token == "|" || token == "||" || token == "&&" || token == "" && len(l.commands) > 0) {
				return l, "", fmt.Errorf("syntax error: unexpected %q", token)
			}
			if !empty {
				l.commands = append(l.commands, current)
			}
			if current = (simple{}); token != "|" {
				l.end = token
				return l, r.text, nil
			}
		}
	}
}

// pipe runs commands, each with the output of the one before.
func (p *process) pipe(ctx context.Context, commands []simple, s Streams) (code int) {
	in := s.In
	for i, c := range commands {
		out := io.Writer(s.Out)
		var kept limited
		if i < len(commands)-1 || c.out != "" {
			kept.left = maxOutput
			out = &kept
		}
		if c.in != "" {
			data, err := p.Files.Read(p.path(c.in))
			if err != nil {
				fmt.Fprintf(s.Err, "sh: can't open %s: %v\n", c.in, err)
				return 1
			}
			in = bytes.NewReader(data)
		}
		code = p.one(ctx, c, Streams{In: in, Out: out, Err: s.Err})
		if c.out != "" && c.out != "/dev/null" {
			if err := p.Files.Write(p.path(c.out), kept.Bytes(), c.add); err != nil {
				fmt.Fprintf(s.Err, "sh: can't create %s: %v\n", c.out, err)
				return 1
			}
			kept.Reset()
		}
		in = &kept
	}
	return code
}

// one runs a command, or assigns.
func (p *process) one(ctx context.Context, c simple, s Streams) int {
	runs := p
	if len(c.words) > 0 && len(c.assigns) > 0 {
		runs = p.child() // for that command alone
	}
	for _, assign := range c.assigns {
		name, value, _ := strings.Cut(assign, "=")
		runs.env[name] = value
	}
	if len(c.words) == 0 {
		return 0
	}
	return runs.start(ctx, c.words, s)
}

// limited keeps so many bytes, and drops the rest.
type limited struct {
	bytes.Buffer
	left int
}

func (l *limited) Write(b []byte) (int, error) {
	n := min(len(b), l.left)
	l.left -= n
	l.Buffer.Write(b[:n])
	return len(b), nil
}
