package shell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path"
	"slices"
	"strings"
	"time"
)

// Container is where commands run.
type Container struct {
	Files    Files
	Env      []string // NAME=value
	Dir      string   // the working directory, absolute
	Hostname string
	UID, GID int64
	Now      func() time.Time
	// Dial connects to the API server: whatever hosts resolve to, nothing else can be reached.
	Dial func(ctx context.Context) (net.Conn, error)
}

// Files are those of a container. Paths are absolute and clean.
type Files interface {
	Read(name string) ([]byte, error)
	// Write replaces a file, or adds to it.
	Write(name string, data []byte, add bool) error
	// List lists a directory, by name; for a file it returns that alone.
	List(name string) ([]Entry, error)
}

// Entry is one line of ls.
type Entry struct {
	Name, Mode, Target string // Target of a symbolic link
	Size               int64
	Time               time.Time
	Dir                bool
}

// Streams are those of a process.
type Streams struct {
	In       io.Reader // nil: nothing
	Out, Err io.Writer
	// Terminal says that a person is at the other end, with a terminal that leaves lines to us.
	Terminal bool
}

// NotFoundError is returned when a container has no such program.
type NotFoundError struct{ Name string }

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("failed to exec in container: exec: %q: executable file not found in $PATH (this container is simulated, and has: %s)", e.Name, strings.Join(names(), " "))
}

// Run runs a command, and returns its exit code; an error when it cannot be started.
func (c Container) Run(ctx context.Context, args []string, s Streams) (code int, err error) {
	if s.In == nil {
		s.In = bytes.NewReader(nil)
	}
	budget := maxWords
	p := &process{Container: c, left: &budget, env: map[string]string{"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/", "HOSTNAME": c.Hostname}}
	for _, pair := range c.Env {
		name, value, _ := strings.Cut(pair, "=")
		p.env[name] = value
	}
	if p.Dir == "" {
		p.Dir = "/"
	}
	name := path.Base(args[0])
	if _, ok := commands()[name]; !ok && !IsShell(name) {
		return 0, &NotFoundError{args[0]}
	}
	if !s.Terminal {
		return p.start(ctx, args, s), nil
	}
	out := &crlf{s.Out}
	s.Out, s.Err = out, out
	if IsShell(name) && len(args) == 1 {
		return p.interact(ctx, newTerminal(s.In, out), out), nil
	}
	return p.start(ctx, args, s), nil
}

// IsShell tells whether a program is a shell.
func IsShell(name string) bool {
	return slices.Contains([]string{"sh", "bash", "ash", "dash"}, path.Base(name))
}

// process is one run of the shell, or of a command.
type process struct {
	Container
	env    map[string]string
	last   int // exit code
	depth  int
	exited bool
	left   *int // bytes that words may still take, of all shells together
}

const (
	maxDepth  = 16       // of shells in shells
	maxOutput = 1 << 20  // bytes between two commands, and of a word
	maxWords  = 64 << 20 // bytes of all words
)

// start runs one command.
func (p *process) start(ctx context.Context, args []string, s Streams) int {
	if ctx.Err() != nil {
		return 137
	}
	if p.depth > maxDepth {
		fmt.Fprintln(s.Err, "sh: too deep")
		return 2
	}
	name := path.Base(args[0])
	if IsShell(name) {
		return p.shell(ctx, args[1:], s)
	}
	run, ok := commands()[name]
	if !ok {
		fmt.Fprintf(s.Err, "sh: %s: not found (this container is simulated: help tells what it has)\n", args[0])
		return 127
	}
	return run(ctx, p, args[1:], s)
}

// shell runs sh -c SCRIPT, or the script that comes in.
func (p *process) shell(ctx context.Context, args []string, s Streams) int {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		if strings.HasSuffix(args[0], "c") {
			if len(args) < 2 {
				fmt.Fprintln(s.Err, "sh: -c requires an argument")
				return 2
			}
			return p.child().script(ctx, args[1], s)
		}
		args = args[1:]
	}
	var script []byte
	var err error
	if len(args) > 0 {
		script, err = p.Files.Read(p.path(args[0]))
	} else {
		script, err = io.ReadAll(io.LimitReader(s.In, maxOutput))
	}
	if err != nil {
		fmt.Fprintf(s.Err, "sh: %v\n", err)
		return 127
	}
	return p.child().script(ctx, string(script), s)
}

// child is a shell of its own, which changes nothing here.
func (p *process) child() *process {
	env := make(map[string]string, len(p.env))
	for name, value := range p.env {
		env[name] = value
	}
	return &process{Container: p.Container, env: env, left: p.left, depth: p.depth + 1, last: p.last}
}

// interact reads commands from a person.
func (p *process) interact(ctx context.Context, t *terminal, out io.Writer) int {
	for ctx.Err() == nil && !p.exited {
		line, err := t.line(p.Dir + " # ")
		if errors.Is(err, errInterrupted) {
			p.last = 130
			continue
		}
		if err != nil {
			return p.last
		}
		p.script(ctx, line, Streams{In: bytes.NewReader(nil), Out: out, Err: out})
	}
	return p.last
}

// path is where a name leads from the working directory.
func (p *process) path(name string) string {
	if !path.IsAbs(name) {
		name = p.Dir + "/" + name
	}
	return path.Clean(name)
}
