package structure

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDependencies: each module that we import ourselves has to say in docs/dependencies.md what it is for.
func TestDependencies(t *testing.T) {
	root := filepath.Join("..", "..")
	out, err := exec.Command("go", "mod", "edit", "-json", filepath.Join(root, "go.mod")).Output()
	if err != nil {
		t.Fatalf("go mod edit: %v", err)
	}
	var module struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(out, &module); err != nil {
		t.Fatal(err)
	}
	page := string(mustRead(t, filepath.Join(root, "docs", "dependencies.md")))
	for _, m := range module.Require {
		if !m.Indirect && !strings.Contains(page, m.Path) {
			t.Errorf("docs/dependencies.md does not say what %s is for", m.Path)
		}
	}
}
