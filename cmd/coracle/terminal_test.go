package main

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/klog/v2"
)

// logged is what one call writes, without its time.
func logged(level slog.Level, call func(*slog.Logger)) string {
	var out bytes.Buffer
	call(slog.New(newTerminal(&out, level)))
	_, rest, _ := strings.Cut(out.String(), " ")
	return rest
}

func TestTerminal(t *testing.T) {
	for _, c := range []struct {
		name string
		call func(*slog.Logger)
		want string
	}{
		{"time, level, message, attributes", func(l *slog.Logger) { l.Info("ready", "url", "https://127.0.0.1:6443", "nodes", 1) },
			"INFO  ready url=https://127.0.0.1:6443 nodes=1\n"},
		{"a value with spaces is quoted", func(l *slog.Logger) { l.Error("stopped", "error", errors.New("disk is full")) },
			"ERROR stopped error=\"disk is full\"\n"},
		{"attributes that a logger carries come first", func(l *slog.Logger) { l.With("node", "node-1").Warn("late", "by", "3s") },
			"WARN  late node=node-1 by=3s\n"},
		{"groups are spelt out", func(l *slog.Logger) {
			l.WithGroup("pod").With("name", "web").Info("runs", slog.Group("ip", "v4", "10.244.0.2"))
		}, "INFO  runs pod.name=web pod.ip.v4=10.244.0.2\n"},
		{"a name cannot forge a line", func(l *slog.Logger) { l.Warn("refused", "user", "bob\n12:00:00 INFO  all is well") },
			"WARN  refused user=\"bob\\n12:00:00 INFO  all is well\"\n"},
		{"a message cannot repaint the terminal", func(l *slog.Logger) { l.Warn("\x1b[2Jall is well") },
			"WARN  \"\\x1b[2Jall is well\"\n"},
		{"neither can text that runs backwards", func(l *slog.Logger) { l.Warn("refused", "user", "bob\u202enimda") },
			"WARN  refused user=\"bob\\u202enimda\"\n"},
		{"bytes that are no text are quoted", func(l *slog.Logger) { l.Warn("refused", "user", "bob\xff") },
			"WARN  refused user=\"bob\\xff\"\n"},
		{"an empty value can be seen", func(l *slog.Logger) { l.Warn("refused", "user", "") },
			"WARN  refused user=\"\"\n"},
		{"what is below the level is not written", func(l *slog.Logger) { l.Debug("detail") }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, logged(slog.LevelInfo, c.call)); diff != "" {
				t.Errorf("written (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLogger_TakesMoreAndLess(t *testing.T) {
	var out strings.Builder
	log, setVerbosity := logger(&out, slog.LevelWarn)
	defer klog.ClearLogger()
	tell := func(of string) {
		log.Debug(of + " detail")
		log.Info(of + " info")
		log.Warn(of + " warning")
		klog.Info(of + " by client-go")
		klog.V(4).Info(of + " in detail by client-go")
	}
	tell("at first")
	setVerbosity(4)
	tell("then")
	setVerbosity(0)
	tell("at last")
	got := []string{}
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.TrimSpace(line[strings.IndexByte(line, ' '):]))
	}
	want := []string{
		"WARN  at first warning",
		"DEBUG then detail", "INFO  then info", "WARN  then warning", "INFO  then by client-go", "DEBUG then in detail by client-go",
		"INFO  at last info", "WARN  at last warning",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
