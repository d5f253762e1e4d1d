package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	runBare()
	testscript.Main(m, map[string]func(){"curl": curl, "log": printLog})
}

// TestScripts runs the lessons, some at a time.
func TestScripts(t *testing.T) {
	b := tools(t)
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			s := &server{coracle: b.coracle, dir: filepath.Join(env.WorkDir, "data"), work: env.WorkDir}
			env.Defer(func() {
				if err := s.end(); err != nil {
					env.T().Fatal(err)
				}
			})
			env.Values[serverKey{}] = s
			env.Values[issuerKey{}] = &issuer{}
			env.Setenv("PATH", b.kubectl+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("ROOT", root)
			env.Setenv("DATA", s.dir)
			env.Setenv("CORACLE", b.coracle)
			s.output.file = filepath.Join(env.WorkDir, "server.log")
			env.Setenv("SERVER_LOG", s.output.file)
			env.Setenv("KUBECONFIG", s.kubeconfig())
			env.Setenv("HOME", env.WorkDir) // kubectl's caches
			return nil
		},
		Condition: atLeast,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"up":         cmdUp,
			"down":       cmdDown,
			"crash":      func(ts *testscript.TestScript, _ bool, _ []string) { serverOf(ts).kill() },
			"kubectl":    func(ts *testscript.TestScript, neg bool, args []string) { run(ts, neg, "kubectl", args) },
			"as":         cmdAs,
			"eventually": cmdEventually,
			"let":        cmdLet,
			"mode":       cmdMode,
			"replace":    cmdReplace,
			"indent":     cmdIndent,
			"certify":    cmdCertify,
			"issuer":     cmdIssuer,
			"idtoken":    cmdIDToken,
			"reviewer":   cmdReviewer,
			"hash":       cmdHash,
			"changed":    cmdChanged,
		},
	})
}

// atLeast is the condition [kubectl:1.35]: the kubectl under test is of that minor or a later one. Lines under it use what
// earlier ones do not have.
func atLeast(condition string) (bool, error) {
	wanted, ok := strings.CutPrefix(condition, "kubectl:1.")
	if !ok {
		return false, fmt.Errorf("there is no condition %q; there is kubectl:1.N", condition)
	}
	lowest, err := strconv.Atoi(wanted)
	if err != nil {
		return false, err
	}
	tested, err := strconv.Atoi(strings.TrimPrefix(kubectlMinor(), "1."))
	return tested >= lowest, err
}

type serverKey struct{}

func serverOf(ts *testscript.TestScript) *server { return ts.Value(serverKey{}).(*server) }

func run(ts *testscript.TestScript, neg bool, name string, args []string) {
	err := ts.Exec(name, args...)
	switch {
	case err == nil && neg:
		ts.Fatalf("%s succeeded, and should not", name)
	case err != nil && !neg:
		ts.Fatalf("%s: %v", name, err)
	}
}

func cmdUp(ts *testscript.TestScript, neg bool, args []string) {
	s := serverOf(ts)
	err := s.up(args...)
	if (err != nil) != neg {
		ts.Fatalf("up: %v", err)
	}
	ts.Setenv("API", s.url)
	ts.Setenv("PORT", s.url[strings.LastIndexByte(s.url, ':')+1:])
}

func cmdDown(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(serverOf(ts).down())
}

// cmdAs runs kubectl with somebody else's kubeconfig.
func cmdAs(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: as USER ARG...")
	}
	run(ts, neg, "kubectl", append([]string{"--kubeconfig", ts.MkAbs(args[0] + ".conf")}, args[1:]...))
}

// cmdEventually runs a command until its output matches. What a cluster does by itself takes milliseconds, but
// nobody promises when.
func cmdEventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually REGEXP COMMAND ARG...")
	}
	want, err := regexp.Compile(args[0])
	ts.Check(err)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); ; <-tick.C {
		err := ts.Exec(args[1], args[2:]...)
		// Standard output and error are looked at together: some waits are for a refusal.
		got := ts.ReadFile("stdout") + ts.ReadFile("stderr")
		if want.MatchString(got) {
			return
		}
		if time.Since(begun) > patience {
			ts.Fatalf("no match for %q after %s (last error: %v):\n%s", args[0], patience, err, got)
		}
	}
}

func cmdLet(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: let NAME COMMAND ARG...")
	}
	ts.Check(ts.Exec(args[1], args[2:]...))
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

// cmdMode checks the permissions of files: who else on this machine may read them.
func cmdMode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: mode OCTAL FILE...")
	}
	for _, file := range args[1:] {
		info, err := os.Stat(ts.MkAbs(file))
		ts.Check(err)
		if got := fmt.Sprintf("%o", info.Mode().Perm()); got != args[0] {
			ts.Fatalf("%s has mode %s, want %s", file, got, args[0])
		}
	}
}

// cmdReplace replaces text in a file.
func cmdReplace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace OLD NEW FILE")
	}
	text := ts.ReadFile(args[2])
	if !strings.Contains(text, args[0]) {
		ts.Fatalf("%s has no %q", args[2], args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(strings.ReplaceAll(text, args[0], args[1])), 0o600))
}

// cmdIndent puts a file in place of a word in another, with the indentation of that line: PEM into YAML.
func cmdIndent(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: indent INSERTED WORD FILE")
	}
	before, after, ok := strings.Cut(ts.ReadFile(args[2]), args[1])
	if !ok {
		ts.Fatalf("%s has no %q", args[2], args[1])
	}
	indentation := before[strings.LastIndexByte(before, '\n')+1:]
	text := strings.ReplaceAll(strings.TrimSpace(ts.ReadFile(args[0])), "\n", "\n"+indentation)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(before+text+after), 0o600))
}
