package server

import (
	"context"
	"log/slog"
)

// chatter is what libraries say of connections. They call it an error when a client has hung up, which is how each stream ends; here
// it is a detail.
type chatter struct{ slog.Handler }

func (c chatter) Enabled(ctx context.Context, _ slog.Level) bool {
	return c.Handler.Enabled(ctx, slog.LevelDebug)
}

func (c chatter) Handle(ctx context.Context, r slog.Record) error {
	if !c.Enabled(ctx, r.Level) { // logr does not ask before it says an error
		return nil
	}
	r.Level = slog.LevelDebug
	return c.Handler.Handle(ctx, r)
}

func (c chatter) WithAttrs(attrs []slog.Attr) slog.Handler {
	return chatter{c.Handler.WithAttrs(attrs)}
}
func (c chatter) WithGroup(name string) slog.Handler { return chatter{c.Handler.WithGroup(name)} }
