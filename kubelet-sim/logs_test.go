package kubeletsim

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func testLog(t *testing.T, dir string, restarts int32) *containerLog {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	log, err := openLog(root, restarts, func() time.Time { return time.Date(2026, 2, 1, 15, 4, 5, 6, time.UTC) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.close() })
	return log
}

func TestLog_Lines(t *testing.T) {
	const stamp = "2026-02-01T15:04:05.000000006Z "
	long := strings.Repeat("x", maxLogLine)
	for _, test := range []struct {
		name   string
		writes []string
		want   string
	}{
		{"a line", []string{"hello\n"}, stamp + "stdout F hello\n"},
		{"several lines at once", []string{"a\n\nb\n"}, stamp + "stdout F a\n" + stamp + "stdout F \n" + stamp + "stdout F b\n"},
		{"a line in pieces", []string{"he", "ll", "o\n"}, stamp + "stdout F hello\n"},
		{"a line that never ends", []string{"a\nhel", "lo"}, stamp + "stdout F a\n" + stamp + "stdout P hello\n"},
		{"a line as long as can be", []string{long + "\n"}, stamp + "stdout F " + long + "\n"},
		{"a longer one", []string{long + "y\n"}, stamp + "stdout P " + long + "\n" + stamp + "stdout F y\n"},
		{"a longer one in pieces", []string{long, "yz", "\n"}, stamp + "stdout P " + long + "\n" + stamp + "stdout F yz\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			log := testLog(t, dir, 0)
			out := log.stream("stdout")
			for _, data := range test.writes {
				if n, err := out.Write([]byte(data)); n != len(data) || err != nil {
					t.Fatalf("Write: %d, %v", n, err)
				}
			}
			out.flush()
			got, err := os.ReadFile(filepath.Join(dir, "logs/0.log"))
			if err != nil || string(got) != test.want {
				t.Errorf("log %.200q, %v; want %.200q", got, err, test.want)
			}
		})
	}
}

func TestLog_KeepsThePreviousRunOnly(t *testing.T) {
	dir := t.TempDir()
	for restarts := range int32(4) {
		log := testLog(t, dir, restarts)
		log.stream("stderr").Write([]byte("x\n"))
		if err := log.close(); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(filepath.Join(dir, "logs"))
	if err != nil || len(entries) != 2 || entries[0].Name() != "2.log" || entries[1].Name() != "3.log" {
		t.Errorf("logs %v, %v", entries, err)
	}
	info, err := entries[0].Info()
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestLog_IsBounded(t *testing.T) {
	dir := t.TempDir()
	log := testLog(t, dir, 0)
	out := log.stream("stdout")
	line := []byte(strings.Repeat("x", maxLogLine-1) + "\n")
	for range 2 * maxLogSize / len(line) {
		if _, err := out.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "logs/0.log"))
	if err != nil || info.Size() > maxLogSize+2*maxLogLine || info.Size() == 0 {
		t.Errorf("size %v, %v", info.Size(), err)
	}
}

func TestLog_AfterTheEnd(t *testing.T) {
	log := testLog(t, t.TempDir(), 0)
	out := log.stream("stdout")
	if err := log.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Write([]byte("late\n")); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("error %v", err)
	}
}

// A container may put a link where its log is to be.
func TestLog_DoesNotFollowLinksOut(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "file")
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "logs"), 0o700), os.Symlink(outside, filepath.Join(dir, "logs/0.log"))); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if _, err := openLog(root, 0, time.Now); err == nil {
		t.Error("a log was opened behind a link")
	}
	if _, err := os.Stat(outside); err == nil {
		t.Error("something was written outside")
	}
}
