package server

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-logr/logr"
)

func TestChatter_IsHeardByThoseWhoAskForDetails(t *testing.T) {
	for level, want := range map[slog.Level]string{slog.LevelWarn: "", slog.LevelDebug: `level=DEBUG msg="hung up" err=gone`} {
		var out bytes.Buffer
		log := logr.FromSlogHandler(chatter{slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level})})
		log.Error(errors.New("gone"), "hung up")
		if got := strings.TrimSpace(out.String()); !strings.HasSuffix(got, want) || want == "" && got != "" {
			t.Errorf("with the level %s it says %q, want %q", level, got, want)
		}
	}
}
