package shell

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// files are a container's, in memory.
type files map[string]string

func (f files) Read(name string) ([]byte, error) {
	text, ok := f[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return []byte(text), nil
}

func (f files) Write(name string, data []byte, add bool) error {
	if strings.HasPrefix(name, "/etc/") {
		return errors.New("Read-only file system")
	}
	if !add {
		f[name] = ""
	}
	f[name] += string(data)
	return nil
}

func (f files) List(name string) (entries []Entry, err error) {
	if _, ok := f[name]; ok {
		return []Entry{{Name: name}}, nil
	}
	for file := range f {
		if path.Dir(file) == path.Clean(name) {
			entries = append(entries, Entry{Name: path.Base(file), Mode: "-rw-r--r--"})
		}
	}
	if entries == nil {
		return nil, fs.ErrNotExist
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return entries, nil
}

func container() Container {
	return Container{
		Files: files{"/etc/os": "ID=x\nNAME=y\n", "/run/token": "aGVhZA.eyJhIjoxfQ.c2ln", "/etc/.hidden": ""},
		Env:   []string{"A=1", "KUBERNETES_SERVICE_HOST=10.96.0.1"}, Hostname: "web",
		Now:  func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) },
		Dial: func(context.Context) (net.Conn, error) { return nil, errors.New("nobody is there") },
	}
}

func run(t *testing.T, script string) (out string, code int) {
	t.Helper()
	var b bytes.Buffer
	code, err := container().Run(t.Context(), []string{"sh", "-c", script}, Streams{In: strings.NewReader("in\n"), Out: &b, Err: &b})
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), code
}

func TestRun_Scripts(t *testing.T) {
	for script, want := range map[string]struct {
		out  string
		code int
	}{
		"echo a b; echo 'c  d' \"$A $B.\"":              {"a b\nc  d 1 .\n", 0},
		"false && echo no || echo yes":                  {"yes\n", 0},
		"true || echo no && echo yes":                   {"yes\n", 0},
		"false && echo $(cat /etc/os) ; echo $?":        {"1\n", 0},
		"cat /etc/os | grep NAME | cut -d= -f2":         {"y\n", 0},
		"T=$(cat /run/token); echo \"<$T>\"":            {"<aGVhZA.eyJhIjoxfQ.c2ln>\n", 0},
		"cat /run/token | cut -d. -f2 | base64 -d":      {`{"a":1}`, 0},
		"A=2 printenv A; echo ${A}":                     {"2\n1\n", 0},
		"echo x > /tmp/f; echo y >> /tmp/f; cat /tmp/f": {"x\ny\n", 0},
		"cat < /etc/os | wc -l":                         {"2\n", 0},
		"echo x > /etc/f":                               {"sh: can't create /etc/f: Read-only file system\n", 1},
		"cat /nothing":                                  {"cat: can't open '/nothing': No such file or directory\n", 1},
		"ls /etc":                                       {"os\n", 0},
		"ls -A /etc":                                    {".hidden\nos\n", 0},
		"cd /etc; pwd; cat os | head -n 1":              {"/etc\nID=x\n", 0},
		"cat":                                           {"in\n", 0},
		"id; whoami; hostname; date":                    {"uid=0(root) gid=0(root) groups=0(root)\nroot\nweb\nFri Jan  2 03:04:05 UTC 2026\n", 0},
		"exit 3; echo no":                               {"", 3},
		"sh -c 'exit 4'; echo $?":                       {"4\n", 0},
		"test -f /etc/os && [ $A = 1 ] && echo both":    {"both\n", 0},
		"nothere":                        {"sh: nothere: not found (this container is simulated: help tells what it has)\n", 127},
		"echo 'a":                        {"sh: syntax error: unterminated quoted string\n", 2},
		"echo $(cat":                     {"sh: syntax error: unterminated $(\n", 2},
		"sleep 1 &":                      {"sh: syntax error: this shell runs nothing in the background\n", 2},
		"| cat":                          {"sh: syntax error: unexpected \"|\"\n", 2},
		"# nothing":                      {"", 0},
		"curl -s https://example.com":    {"curl: (6) Could not resolve host: example.com (of a simulated network there is only the API server: kubernetes.default.svc)\n", 6},
		"curl -sk https://10.96.0.1/api": {"curl: (7) Failed to connect: Get \"https://10.96.0.1/api\": nobody is there\n", 7},
		"curl --cacert /nothing https://kubernetes": {"curl: (77) error setting certificate verify locations:  CAfile: /nothing\n", 77},
	} {
		t.Run(script, func(t *testing.T) {
			out, code := run(t, script)
			if diff := cmp.Diff(want.out, out); diff != "" || code != want.code {
				t.Errorf("exit code %d, want %d (-want +got):\n%s", code, want.code, diff)
			}
		})
	}
}

func TestRun_NoSuchProgram(t *testing.T) {
	_, err := container().Run(t.Context(), []string{"nginx", "-t"}, Streams{Out: io.Discard, Err: io.Discard})
	if _, ok := errors.AsType[*NotFoundError](err); !ok {
		t.Errorf("got %v", err)
	}
}

func TestRun_AtATerminal(t *testing.T) {
	var out bytes.Buffer
	keys := "echo hix\x7f\r" + "\x1b[Aexi\x03" + "false\r" + "exit 5\r"
	code, err := container().Run(t.Context(), []string{"sh"}, Streams{In: strings.NewReader(keys), Out: &out, Terminal: true})
	if err != nil || code != 5 {
		t.Errorf("exit code %d, %v", code, err)
	}
	want := "/ # echo hix\b \b\r\nhi\r\n/ # exi^C\r\n/ # false\r\n/ # exit 5\r\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("on the screen (-want +got):\n%s", diff)
	}
}

// Whoever may exec may write any script: it has to end, in bounded memory.
func FuzzScript(f *testing.F) {
	for _, s := range []string{"echo $(echo $(echo a))", "a=b c=d env | cat > /tmp/x", "'\"$`\\", "true && || ;", "cd ..; ls $A${A}$?", "sh -c 'sh -c \"exit\"'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, script string) {
		if strings.Contains(script, "sleep") {
			return
		}
		out := limited{left: 1 << 22}
		code, err := container().Run(t.Context(), []string{"sh", "-c", script}, Streams{Out: &out, Err: &out})
		if err != nil || code < 0 || code > 255 {
			t.Errorf("exit code %d, %v", code, err)
		}
	})
}

func TestRun_IsBounded(t *testing.T) {
	for name, script := range map[string]string{
		"shells in shells":        strings.Repeat("sh -c '", 1) + strings.Repeat("$(", 200) + "echo a" + strings.Repeat(")", 200) + "'",
		"a text that doubles":     "A=aaaaaaaaaaaaaaaa; " + strings.Repeat("A=$A$A; ", 40) + "echo $A | wc -c",
		"many large texts":        "A=" + strings.Repeat("a", 1000) + "; A=$A$A$A$A$A$A$A$A; A=$A$A$A$A$A$A$A$A; " + strings.Repeat("echo $A > /dev/null;", 10000),
		"an expression too large": "grep '" + strings.Repeat("(a{1000})", 50) + "{1000}' /etc/os",
	} {
		t.Run(name, func(t *testing.T) {
			if out, _ := run(t, script); len(out) > 4<<20 {
				t.Errorf("it wrote %d bytes", len(out))
			}
		})
	}
}
