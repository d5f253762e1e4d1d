package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestReadme types what the README's tour types, into one shell after the other, and compares what it prints.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	steps := consoleSteps(string(text))
	if len(steps) == 0 {
		t.Fatal("the README has no ```console block")
	}
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(tools(t).coracle, filepath.Join(home, "bin", "coracle")); err != nil {
		t.Fatal(err)
	}
	s := &server{coracle: tools(t).coracle, dir: filepath.Join(home, ".coracle", "default")}
	t.Cleanup(func() {
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
	if err := s.up(); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "HOME="+home, "PATH="+tools(t).kubectl+string(os.PathListSeparator)+os.Getenv("PATH"))
	var variables string // what the shell would remember
	typed := func(command string) string {
		cmd := exec.Command("sh", "-c", variables+command)
		cmd.Dir, cmd.Env = home, env
		out, _ := cmd.CombinedOutput() // some fail, as the README shows
		return string(out)
	}
	for i, step := range steps {
		if regexp.MustCompile(`^(export )?[A-Z]+=`).MatchString(step.command) {
			variables += step.command + "\n"
			continue
		}
		got := typed(step.command)
		// What a cluster does by itself takes milliseconds; a reader is slower than this test.
		for begun := time.Now(); sameEachTime(got) != sameEachTime(step.output) && step.looks() && time.Since(begun) < patience; {
			if step.explains() {
				typed(steps[i-1].command) // which is asked about
			}
			got = typed(step.command)
		}
		if diff := cmp.Diff(sameEachTime(step.output), sameEachTime(got)); diff != "" {
			t.Fatalf("$ %s (-README +now):\n%s", step.command, diff)
		}
	}
}

// step is a command and what it prints.
type step struct{ command, output string }

// looks tells whether the command changes nothing, so that it can be typed again.
func (s step) looks() bool { return strings.Contains(s.command, " get ") || s.explains() }

// explains tells whether the command explains what has come of the one before.
func (s step) explains() bool { return strings.HasSuffix(s.command, " why") }

// consoleSteps are the commands in a page's ```console blocks.
func consoleSteps(page string) []step {
	var steps []step
	inside := false
	for line := range strings.Lines(page) {
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case strings.HasPrefix(line, "```"):
			inside = strings.TrimSpace(line) == "```console"
		case inside && isCommand:
			steps = append(steps, step{command: strings.TrimSpace(command)})
		case inside && len(steps) > 0:
			steps[len(steps)-1].output += line
		}
	}
	return steps
}

// sameEachTime replaces what differs from run to run, and the width of columns that follows from it.
func sameEachTime(output string) string {
	for _, r := range []struct{ old, new string }{
		{`[0-9a-f]{8}-[0-9a-f-]{27}`, "<uid>"},
		{`-token-[a-z0-9]{5}`, "-token-xxxxx"},
		{`\b[0-9.]+(ns|µs|ms|s|m)\b`, "<time>"},
		{` +`, " "},
	} {
		output = regexp.MustCompile(r.old).ReplaceAllString(output, r.new)
	}
	return output
}
