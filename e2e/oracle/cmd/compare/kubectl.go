package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/tools/txtar"
)

// commands puts the lines of a file to kubectl, against both servers, and returns how many there were and how many differ in what
// they print or in how they end.
func (o *options) commands(ctx context.Context, file string) (total, differ int, err error) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		return 0, 0, err
	}
	kubectl, err := filepath.Abs(o.kubectl)
	if err != nil {
		return 0, 0, err
	}
	dir, err := os.MkdirTemp("", "kubectl")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir)
	for _, f := range archive.Files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o700); err != nil {
			return 0, 0, err
		}
	}
	for line := range strings.Lines(string(archive.Comment)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") || !strings.Contains(line, o.only) {
			continue
		}
		total++
		var printed [2]string
		for i, s := range []server{o.real, o.ours} {
			if printed[i], err = s.kubectl(ctx, kubectl, dir, filepath.Join(dir, fmt.Sprint("home", i)), line); err != nil {
				return total, differ, fmt.Errorf("%s: %w", line, err)
			}
		}
		if printed[0] != printed[1] {
			differ++
			real, ours := excerpts(printed[0], printed[1])
			fmt.Printf("%s: kubectl %s\n      real %q\n      ours %q\n", file, line, real, ours)
		}
	}
	return total, differ, nil
}

// kubectl runs one line, and returns all that it printed, normalised, and its exit code.
func (s *server) kubectl(ctx context.Context, kubectl, dir, home, line string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	args := append([]string{"--server", s.url, "--insecure-skip-tls-verify", "--token", s.token}, words(line)...)
	c := exec.CommandContext(ctx, kubectl, args...)
	c.Dir, c.Env = dir, append(os.Environ(), "HOME="+home, "KUBECONFIG="+home+"/none", "KUBE_EDITOR="+filepath.Join(dir, "ed.sh"))
	var out, messages bytes.Buffer
	c.Stdout, c.Stderr = &out, &messages
	var ended *exec.ExitError
	if err := c.Run(); err != nil && !errors.As(err, &ended) {
		return "", err
	}
	text := fmt.Sprintf("%s-- %s-- %d", out.String(), messages.String(), c.ProcessState.ExitCode())
	text = strings.ReplaceAll(text, s.url, "URL")
	for _, n := range printedChances {
		text = n.of.ReplaceAllString(text, n.word)
	}
	text, _ = normalise(text).(string)
	return text, nil
}

// printedChances are what two servers print otherwise by chance, besides what normalise knows.
var printedChances = []struct {
	of   *regexp.Regexp
	word string
}{
	{uuids, "UID"}, // of which parts can look like ages
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ [+-]\d{4}`), "TIME"},
	{regexp.MustCompile(`[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} [+-]\d{4}`), "TIME"},
	{regexp.MustCompile(`/tmp/\S*(LIVE|MERGED)-\d+\S*`), "FILE"},
	{regexp.MustCompile(`/tmp/kubectl-edit-\d+\.yaml`), "FILE"},
	{regexp.MustCompile(`eyJ[\w.-]+`), "TOKEN"},
	{regexp.MustCompile(`:3\d{4}/`), ":PORT/"},
	{regexp.MustCompile(`\b(\d+[smhd])+\b`), "AGE"},
	{regexp.MustCompile(`debugger-\w{5}`), "debugger-RANDOM"},
	{regexp.MustCompile(`[EIW]\d{4} [\d:.]+ +\d+ `), "LOG "},
	{regexp.MustCompile(` +`), " "},
}

// words splits a line at spaces; quotes hold words together.
func words(line string) []string {
	var all []string
	for _, m := range word.FindAllString(line, -1) {
		all = append(all, strings.NewReplacer(`'`, "").Replace(unquoted(m)))
	}
	return all
}

var word = regexp.MustCompile(`(?:'[^']*'|"[^"]*"|[^\s'"])+`)

// unquoted takes the quotes " off that no ' surround.
func unquoted(s string) string {
	if strings.Contains(s, `'`) {
		return s
	}
	return strings.ReplaceAll(s, `"`, "")
}
