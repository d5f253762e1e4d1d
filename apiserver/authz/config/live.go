package config

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/apiserver/authz"
	"coracle/apiserver/authz/abac"
	"coracle/rbac"
)

// Live is the chain as the configuration wants it now. It may be used from many goroutines.
type Live struct {
	build   builder
	file    string
	last    []byte // of the file; only Run changes it
	current atomic.Pointer[authz.Chain]
}

// New makes the chain that the flags ask for. A mistake in them is an error here; later ones, in a file that changes,
// leave the chain as it is.
func New(f Flags, parts Parts) (*Live, error) {
	l := &Live{build: builder{parts: parts, started: sets.New[string](), compiler: newCompiler()}, file: f.ConfigFile}
	c, data, err := f.load(l.build.compiler)
	if err != nil {
		return nil, fmt.Errorf("configure authorization: %w", err)
	}
	for _, one := range c.Authorizers {
		if one.Type != apiserver.TypeWebhook {
			l.build.started.Insert(string(one.Type))
		}
	}
	if l.build.started.Has("ABAC") {
		if l.build.abac, err = abac.FromFile(f.PolicyFile); err != nil {
			return nil, err
		}
	}
	chain, err := l.build.chain(c)
	if err != nil {
		return nil, fmt.Errorf("configure authorization: %w", err)
	}
	l.last = data
	l.current.Store(&chain)
	return l, nil
}

// Authorize asks the present chain and records the opinions.
func (l *Live) Authorize(ctx context.Context, a *rbac.Attributes) authz.Answer {
	return l.current.Load().Authorize(ctx, a)
}

// Ask asks the present chain.
func (l *Live) Ask(ctx context.Context, a *rbac.Attributes) authz.Answer {
	return l.current.Load().Ask(ctx, a)
}

// RulesFor lists by the present chain what a user may do in a namespace.
func (l *Live) RulesFor(u user.Info, namespace string) authz.Rules {
	return l.current.Load().RulesFor(u, namespace)
}

// reloadEvery is how often the file is looked at.
const reloadEvery = time.Second

// Run reads the file again when it changes, until the context ends. Without a file there is nothing to do.
func (l *Live) Run(ctx context.Context, log *slog.Logger) error {
	if l.file == "" {
		return nil
	}
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	for seen := look(l.file); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := look(l.file)
		if now == seen {
			continue
		}
		seen = now
		changed, err := l.reload()
		switch {
		case err != nil:
			log.Error("authorization stays as it was", "file", l.file, "error", err)
		case changed:
			log.Info("authorization follows the changed file", "file", l.file)
		}
	}
}

// look returns what tells one state of a file from another without reading it.
func look(file string) (state struct {
	changed time.Time
	size    int64
	missing bool
}) {
	info, err := os.Stat(file)
	if err != nil {
		state.missing = true
		return state
	}
	state.changed, state.size = info.ModTime(), info.Size()
	return state
}

// reload takes over what the file says, or leaves everything as it is.
func (l *Live) reload() (changed bool, err error) {
	data, err := os.ReadFile(l.file)
	if err != nil || bytes.Equal(data, l.last) {
		return false, err
	}
	l.last = data
	c, err := read(data, l.build.compiler, l.build.started)
	if err != nil {
		return false, err
	}
	chain, err := l.build.chain(c)
	if err != nil {
		return false, err
	}
	l.current.Store(&chain)
	return true, nil
}
