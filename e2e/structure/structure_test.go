// Package structure holds the tests of what no compiler checks: which room may import which, and how large the
// binary may become.
package structure

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rooms lists, for each room, the rooms that it may import. Within a room everything may.
func rooms() map[string][]string {
	return map[string][]string{
		"storage":      nil,
		"authn":        nil,
		"rbac":         nil,
		"manifests":    nil,
		"quota":        nil,
		"controllers":  {"quota"},
		"kubelet-sim":  nil,
		"apiserver":    {"authn", "rbac", "storage", "quota"},
		"cluster":      {"apiserver", "authn", "rbac", "storage", "manifests", "controllers", "kubelet-sim"},
		"counterparts": {"authn"},
		"cmd":          {"counterparts", "cluster", "apiserver", "authn", "rbac", "storage", "manifests", "controllers", "kubelet-sim"},
		"e2e":          {"cluster"},
	}
}

// TestImports fails with each import that runs against the direction of the house.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-tags", "grpcnotrace", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "coracle/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	allowed := rooms()
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		from := room(fields[0])
		may, known := allowed[from]
		if !known {
			t.Errorf("%s is in no room that this test knows", fields[0])
		}
		for _, imported := range fields[1:] {
			switch to := room(imported); {
			case imported == "html/template" || imported == "text/template":
				t.Errorf("%s imports %s, which doubles the binary: executing a template keeps every method of every type", fields[0], imported)
			case imported == "unsafe" && fields[0] != "coracle/apiserver/memory":
				t.Errorf("%s imports unsafe: only coracle/apiserver/memory may", fields[0])
			case to == "" || to == from || slices.Contains(may, to):
			default:
				t.Errorf("%s imports %s: %s may import %v", fields[0], imported, from, may)
			}
		}
	}
}

// room is the top folder of a package of ours, "" for others'.
func room(path string) string {
	rest, ok := strings.CutPrefix(path, "coracle/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// maxBinary is the ceiling of the binary's size, in bytes.
const maxBinary = 55_000_000

// TestBinarySize builds the binary as it is shipped, whatever flags this test was started with.
func TestBinarySize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "coracle")
	cmd := exec.Command("make", "-s", "-C", "../..", "build", "BIN="+path)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains([]string{"GOFLAGS", "CGO_ENABLED", "MAKEFLAGS", "MFLAGS"}, name)
	})
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make build: %v\n%s", err, out)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the binary has %.1f MB", float64(info.Size())/1e6)
	if info.Size() > maxBinary {
		t.Errorf("the binary has %d bytes, and may have %d: find out with `go tool nm -size -sort size` what came in", info.Size(), maxBinary)
	}
}
