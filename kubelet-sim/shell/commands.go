package shell

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// program is one command.
type program func(ctx context.Context, p *process, args []string, s Streams) int

// commands is the table of all.
func commands() map[string]program {
	return map[string]program{
		"[": test, "base64": encode, "cat": cat, "cd": cd, "curl": curl, "cut": cut, "date": date, "echo": echo, "env": printenv, "exit": exit,
		"export": export, "false": result(1), "grep": grep, "head": head, "help": help, "hostname": hostname, "id": id, "ls": ls, "printenv": printenv,
		"pwd": pwd, "sleep": sleep, "tail": tail, "test": test, "true": result(0), "wc": wc, "whoami": whoami,
	}
}

// names are those of all commands.
func names() []string { return append(slices.Sorted(maps.Keys(commands())), "sh") }

func help(_ context.Context, _ *process, _ []string, s Streams) int {
	fmt.Fprintln(s.Out, "This container is simulated. It has:", strings.Join(names(), " "))
	return 0
}

func result(code int) program {
	return func(context.Context, *process, []string, Streams) int { return code }
}

// complain says what is wrong, as programs do.
func complain(s Streams, command, name string, err error) int {
	reason := err.Error()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		reason = "No such file or directory"
	case errors.Is(err, fs.ErrPermission):
		reason = "Permission denied"
	}
	fmt.Fprintf(s.Err, "%s: %s: %s\n", command, name, reason)
	return 1
}

func cat(_ context.Context, p *process, args []string, s Streams) (code int) {
	for _, name := range inputs(args) {
		data, err := p.input(name, s)
		if err != nil {
			code = complain(s, "cat", "can't open '"+name+"'", err)
			continue
		}
		s.Out.Write(data)
	}
	return code
}

// inputs are the files named; - is what comes in.
func inputs(args []string) []string {
	if len(args) == 0 {
		return []string{"-"}
	}
	return args
}

func (p *process) input(name string, s Streams) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(io.LimitReader(s.In, maxOutput))
	}
	return p.Files.Read(p.path(name))
}

// flags takes single letters apart, and what one of them wants.
func flags(args []string, wanting string) (set map[byte]string, rest []string) {
	set = map[byte]string{}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if len(arg) < 2 || arg[0] != '-' {
			rest = append(rest, arg)
			continue
		}
		for j := 1; j < len(arg); j++ {
			set[arg[j]] = ""
			if strings.IndexByte(wanting, arg[j]) < 0 {
				continue
			}
			if set[arg[j]] = arg[j+1:]; j+1 == len(arg) && i+1 < len(args) {
				i++
				set[arg[j]] = args[i]
			}
			break
		}
	}
	return set, rest
}

func ls(_ context.Context, p *process, args []string, s Streams) (code int) {
	set, names := flags(args, "")
	if len(names) == 0 {
		names = []string{"."}
	}
	_, long := set['l']
	_, all := set['a']
	_, all2 := set['A']
	for _, name := range names {
		entries, err := p.Files.List(p.path(name))
		if err != nil {
			code = complain(s, "ls", name, err)
			continue
		}
		if len(names) > 1 {
			fmt.Fprintf(s.Out, "%s:\n", name)
		}
		for _, e := range entries {
			switch {
			case strings.HasPrefix(e.Name, ".") && !all && !all2 && len(entries) > 0 && e.Name != name:
			case !long:
				fmt.Fprintln(s.Out, e.Name)
			case e.Target != "":
				fmt.Fprintf(s.Out, "%s %8d %s %s -> %s\n", e.Mode, e.Size, e.Time.UTC().Format("Jan _2 15:04"), e.Name, e.Target)
			default:
				fmt.Fprintf(s.Out, "%s %8d %s %s\n", e.Mode, e.Size, e.Time.UTC().Format("Jan _2 15:04"), e.Name)
			}
		}
	}
	return code
}

func echo(_ context.Context, _ *process, args []string, s Streams) int {
	end := "\n"
	if len(args) > 0 && args[0] == "-n" {
		args, end = args[1:], ""
	}
	fmt.Fprint(s.Out, strings.Join(args, " ")+end)
	return 0
}

func printenv(_ context.Context, p *process, args []string, s Streams) int {
	if len(args) == 0 {
		for _, name := range slices.Sorted(maps.Keys(p.env)) {
			fmt.Fprintf(s.Out, "%s=%s\n", name, p.env[name])
		}
	}
	for _, name := range args {
		value, ok := p.env[name]
		if !ok {
			return 1
		}
		fmt.Fprintln(s.Out, value)
	}
	return 0
}

func export(_ context.Context, p *process, args []string, _ Streams) int {
	for _, arg := range args {
		if name, value, found := strings.Cut(arg, "="); found && isName(name) {
			p.env[name] = value
		}
	}
	return 0
}

func cd(_ context.Context, p *process, args []string, s Streams) int {
	to := "/"
	if len(args) > 0 {
		to = p.path(args[0])
	}
	entries, err := p.Files.List(to)
	if err != nil {
		return complain(s, "cd", "can't cd to "+to, err)
	}
	if len(entries) == 1 && !entries[0].Dir && strings.HasSuffix(to, "/"+entries[0].Name) {
		return complain(s, "cd", "can't cd to "+to, errors.New("Not a directory"))
	}
	p.Dir = to
	return 0
}

func pwd(_ context.Context, p *process, _ []string, s Streams) int {
	fmt.Fprintln(s.Out, p.Dir)
	return 0
}

func exit(_ context.Context, p *process, args []string, _ Streams) int {
	p.exited = true
	if len(args) > 0 {
		n, err := strconv.ParseUint(args[0], 10, 32)
		if err != nil {
			return 2
		}
		return int(n & 0xff) // all that a process can say
	}
	return p.last
}

func hostname(_ context.Context, p *process, _ []string, s Streams) int {
	fmt.Fprintln(s.Out, p.Hostname)
	return 0
}

func id(_ context.Context, p *process, args []string, s Streams) int {
	named := func(n int64) string {
		if n == 0 {
			return "0(root)"
		}
		return fmt.Sprint(n)
	}
	if len(args) > 0 && args[0] == "-u" {
		fmt.Fprintln(s.Out, p.UID)
		return 0
	}
	fmt.Fprintf(s.Out, "uid=%s gid=%s groups=%s\n", named(p.UID), named(p.GID), named(p.GID))
	return 0
}

func whoami(_ context.Context, p *process, _ []string, s Streams) int {
	if p.UID != 0 {
		fmt.Fprintf(s.Err, "whoami: unknown uid %d\n", p.UID)
		return 1
	}
	fmt.Fprintln(s.Out, "root")
	return 0
}

func date(_ context.Context, p *process, _ []string, s Streams) int {
	fmt.Fprintln(s.Out, p.Now().UTC().Format(time.UnixDate))
	return 0
}

func sleep(ctx context.Context, _ *process, args []string, s Streams) int {
	if len(args) != 1 {
		fmt.Fprintln(s.Err, "sleep: one number of seconds is needed")
		return 1
	}
	seconds, err := strconv.ParseFloat(strings.TrimSuffix(args[0], "s"), 64)
	if err != nil || seconds < 0 || seconds > 1e6 {
		fmt.Fprintf(s.Err, "sleep: invalid number '%s'\n", args[0])
		return 1
	}
	timer := time.NewTimer(time.Duration(seconds * float64(time.Second)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return 0
	case <-ctx.Done():
		return 137
	}
}

func encode(_ context.Context, p *process, args []string, s Streams) int {
	set, names := flags(args, "w")
	data, err := p.input(inputs(names)[0], s)
	if err != nil {
		return complain(s, "base64", inputs(names)[0], err)
	}
	if _, decode := set['d']; !decode {
		fmt.Fprintln(s.Out, base64.StdEncoding.EncodeToString(data))
		return 0
	}
	// A token's parts are of the other alphabet, and unpadded: they are read all the same.
	text := strings.TrimRight(strings.Join(strings.Fields(string(data)), ""), "=")
	decoded, err := base64.RawStdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "/").Replace(text))
	s.Out.Write(decoded)
	if err != nil {
		fmt.Fprintln(s.Err, "base64: invalid input")
		return 1
	}
	return 0
}

// lines are those of the first file named.
func (p *process) lines(command string, names []string, s Streams) ([]string, int) {
	data, err := p.input(inputs(names)[0], s)
	if err != nil {
		return nil, complain(s, command, inputs(names)[0], err)
	}
	text := strings.TrimSuffix(string(data), "\n")
	if text == "" && len(data) == 0 {
		return nil, 0
	}
	return strings.Split(text, "\n"), 0
}

func head(_ context.Context, p *process, args []string, s Streams) int {
	return p.some("head", args, s, func(lines []string, n int) []string { return lines[:min(n, len(lines))] })
}

func tail(_ context.Context, p *process, args []string, s Streams) int {
	return p.some("tail", args, s, func(lines []string, n int) []string { return lines[max(0, len(lines)-n):] })
}

func (p *process) some(command string, args []string, s Streams, of func([]string, int) []string) int {
	set, names := flags(args, "nc")
	n := 10
	if text, ok := set['n']; ok {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 0 {
			fmt.Fprintf(s.Err, "%s: invalid number '%s'\n", command, text)
			return 1
		}
	}
	if text, ok := set['c']; ok && command == "head" {
		data, err := p.input(inputs(names)[0], s)
		if n, _ = strconv.Atoi(text); err != nil {
			return complain(s, command, inputs(names)[0], err)
		}
		s.Out.Write(data[:max(0, min(n, len(data)))])
		return 0
	}
	lines, code := p.lines(command, names, s)
	for _, line := range of(lines, n) {
		fmt.Fprintln(s.Out, line)
	}
	return code
}

func wc(_ context.Context, p *process, args []string, s Streams) int {
	set, names := flags(args, "")
	data, err := p.input(inputs(names)[0], s)
	if err != nil {
		return complain(s, "wc", inputs(names)[0], err)
	}
	if _, ok := set['c']; ok {
		fmt.Fprintln(s.Out, len(data))
		return 0
	}
	fmt.Fprintln(s.Out, strings.Count(string(data), "\n"))
	return 0
}

func grep(_ context.Context, p *process, args []string, s Streams) int {
	set, names := flags(args, "e")
	pattern, named := set['e']
	if !named {
		if len(names) == 0 {
			fmt.Fprintln(s.Err, "grep: a pattern is needed")
			return 2
		}
		pattern, names = names[0], names[1:]
	}
	if _, ignore := set['i']; ignore {
		pattern = "(?i)" + pattern
	}
	match, err := regexp.Compile(pattern)
	if err != nil {
		fmt.Fprintf(s.Err, "grep: bad regex '%s'\n", pattern)
		return 2
	}
	lines, code := p.lines("grep", names, s)
	if code != 0 {
		return 2
	}
	_, invert := set['v']
	_, only := set['o']
	found := 1
	for _, line := range lines {
		if match.MatchString(line) == invert {
			continue
		}
		found = 0
		if only {
			line = match.FindString(line)
		}
		fmt.Fprintln(s.Out, line)
	}
	return found
}

func cut(_ context.Context, p *process, args []string, s Streams) int {
	set, names := flags(args, "df")
	field, err := strconv.Atoi(set['f'])
	if err != nil || field < 1 {
		fmt.Fprintln(s.Err, "cut: -f has to be one number of a field")
		return 1
	}
	by := set['d']
	if by == "" {
		by = "\t"
	}
	lines, code := p.lines("cut", names, s)
	for _, line := range lines {
		fields := strings.Split(line, by)
		if len(fields) >= field {
			line = fields[field-1]
		} else if len(fields) > 1 {
			line = ""
		}
		fmt.Fprintln(s.Out, line)
	}
	return code
}

func test(_ context.Context, p *process, args []string, s Streams) int {
	if n := len(args); n > 0 && args[n-1] == "]" {
		args = args[:n-1]
	}
	yes := false
	switch {
	case len(args) == 1:
		yes = args[0] != ""
	case len(args) == 2 && args[0] == "-n":
		yes = args[1] != ""
	case len(args) == 2 && args[0] == "-z":
		yes = args[1] == ""
	case len(args) == 2 && strings.Contains("-e-f-s-r", args[0]):
		_, err := p.Files.Read(p.path(args[1]))
		yes = err == nil
	case len(args) == 2 && args[0] == "-d":
		_, err := p.Files.List(p.path(args[1]))
		_, file := p.Files.Read(p.path(args[1]))
		yes = err == nil && file != nil
	case len(args) == 3 && (args[1] == "=" || args[1] == "=="):
		yes = args[0] == args[2]
	case len(args) == 3 && args[1] == "!=":
		yes = args[0] != args[2]
	default:
		fmt.Fprintln(s.Err, "test: this is not understood")
		return 2
	}
	if yes {
		return 0
	}
	return 1
}
