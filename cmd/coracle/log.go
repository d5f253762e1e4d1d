package main

import (
	"io"
	"log/slog"
	"math"
	"strconv"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
)

// logger makes the log, and what sets how much it takes, in klog's count.
func logger(out io.Writer, level slog.Level) (log *slog.Logger, setVerbosity func(v int)) {
	least := new(slog.LevelVar)
	least.Set(level)
	ours := newTerminal(out, least)
	theirs := *ours
	theirs.level = onlyInDetail{least}
	klog.SetLogger(logr.FromSlogHandler(&theirs))
	return slog.New(ours), func(v int) {
		least.Set(slog.Level(-v)) // as in logr
		var of klog.Level
		of.Set(strconv.Itoa(v))
	}
}

// onlyInDetail is the level of what client-go has to say. Most of that is about connections that come back by themselves, so it
// is heard only by those who ask for details.
type onlyInDetail struct{ slog.Leveler }

func (l onlyInDetail) Level() slog.Level {
	if level := l.Leveler.Level(); level <= slog.LevelDebug {
		return level
	}
	return slog.Level(math.MaxInt)
}
