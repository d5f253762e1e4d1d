package e2e

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// minors are the versions of kubectl that can be built, with the release that each stands for.
func minors() map[string]string {
	return map[string]string{"1.37": "v1.37.2", "1.34": "v1.34.2", "1.32": "v1.32.9"}
}

// kubectlMinor is the version of kubectl that the scripts are run with.
func kubectlMinor() string { return cmp.Or(os.Getenv("KUBECTL_MINOR"), "1.37") }

// binaries are built once for all tests.
type binaries struct {
	coracle string
	kubectl string // the directory that holds it
}

var built = sync.OnceValues(build)

func tools(t testing.TB) binaries {
	t.Helper()
	b, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func build() (binaries, error) {
	var b binaries
	root, err := filepath.Abs("..")
	if err != nil {
		return b, err
	}
	cache := filepath.Join(root, ".cache")
	b.coracle = filepath.Join(cache, "coracle")
	flags := []string{"-tags", "grpcnotrace", "-ldflags", "-s -w -funcalign=8"} // as make builds it
	if race {
		b.coracle += "-race"
		flags = append(flags, "-race")
	}
	if err := goBuild(root, b.coracle, append(flags, "./cmd/coracle")...); err != nil {
		return b, err
	}
	minor := kubectlMinor()
	release, ok := minors()[minor]
	if !ok {
		return b, fmt.Errorf("KUBECTL_MINOR is %q; there are 1.37, 1.34 and 1.32", minor)
	}
	// A kubectl that was built from the same modules is good: building takes a minute even when all is cached.
	module := filepath.Join(root, "e2e", "kubectl", "v"+minor)
	sum, err := os.ReadFile(filepath.Join(module, "go.sum"))
	if err != nil {
		return b, err
	}
	b.kubectl = filepath.Join(cache, fmt.Sprintf("kubectl-%s-%.6x", minor, sha256.Sum256(sum)))
	binary := filepath.Join(b.kubectl, "kubectl")
	if _, err := os.Stat(binary); err == nil {
		return b, nil
	}
	set := "-s -w -X k8s.io/component-base/version.gitVersion=" + release +
		" -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=" + minor[2:]
	return b, goBuild(module, binary, "-ldflags", set, ".")
}

func goBuild(dir, output string, args ...string) error {
	if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil {
		return err
	}
	cmd := exec.Command("go", append([]string{"build", "-trimpath", "-o", output}, args...)...)
	cmd.Dir = dir
	cgo := "CGO_ENABLED=0"
	if slices.Contains(args, "-race") {
		cgo = "CGO_ENABLED=1"
	}
	cmd.Env = append(os.Environ(), cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build in %s: %w\n%s", dir, err, out)
	}
	return nil
}
