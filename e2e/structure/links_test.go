package structure

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestLinks follows each link from a page of ours to a file of ours. One to Go source whose text is a name in
// backquotes must find that name declared there, so that pages do not speak of functions which have gone.
func TestLinks(t *testing.T) {
	root := filepath.Join("..", "..")
	link := regexp.MustCompile(`\[([^\]]*)\]\(([^)\s]+)\)`)
	links := 0
	for _, page := range pages(t, root) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			label, target := m[1], m[2]
			target, _, _ = strings.Cut(target, "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			links++
			file := filepath.Join(filepath.Dir(page), target)
			content, err := os.ReadFile(file)
			if info, statErr := os.Stat(file); statErr != nil || err != nil && !info.IsDir() {
				t.Errorf("%s links to %s, which is not there", page, target)
				continue
			}
			name, quoted := strings.CutPrefix(label, "`")
			if !quoted || !strings.HasSuffix(target, ".go") {
				continue
			}
			name = strings.TrimSuffix(name, "`")
			name = name[strings.LastIndexByte(name, '.')+1:]
			declared := regexp.MustCompile(`(?m)^(func (\([^)]*\) )?|type |package |\t|var |const )` + regexp.QuoteMeta(name) + `\b`)
			if !declared.Match(content) {
				t.Errorf("%s links to %s for %s, which is not declared there", page, target, name)
			}
		}
	}
	if links == 0 {
		t.Error("no page links to anything: is this test looking in the right place?")
	}
}

// pages are the Markdown files of the repository.
func pages(t *testing.T, root string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", ".cache", "bin", "node_modules"}, d.Name()):
			return fs.SkipDir
		case strings.HasSuffix(path, ".md"):
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
