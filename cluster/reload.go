package cluster

import (
	"context"
	"time"

	"k8s.io/client-go/kubernetes"

	"coracle/authn"
)

const (
	// reloadEvery is how often configuration files are looked at.
	reloadEvery = time.Second
	// refreshEvery is how often the serving certificate's end is looked at.
	refreshEvery = time.Hour
)

// startAuthentication starts what runs beside the authenticators: files and certificates are read again when they
// change, tokens' last use is noted, and what is trusted is published.
func (c *Cluster) startAuthentication(ctx context.Context, who *authentication, own kubernetes.Interface, p *publisher) {
	who.used.client = own
	c.run(ctx, "legacy-token-tracking", who.used)
	c.run(ctx, "cluster-authentication-trust", p)
	c.parts.Go(func() { c.refreshCertificates(ctx) })
	for _, f := range who.files { // one each: issuers that a file names may be slow to answer
		c.parts.Go(func() {
			authn.Watch(ctx, reloadEvery, func(_ authn.Reloader, err error) { c.reloaded(f, err) }, f)
		})
	}
}

// reloaded tells what became of a file that was changed.
func (c *Cluster) reloaded(f watchedFile, err error) {
	if err != nil {
		c.config.Log.Error("a changed file is refused, what it said before stays in force", "flag", f.flag, "error", err)
		return
	}
	c.config.Log.Info("a changed file is in force", "flag", f.flag)
	if w, ok := f.Reloader.(interface{ Warnings() []string }); ok {
		for _, text := range w.Warnings() {
			c.config.Log.Warn(text, "flag", f.flag)
		}
	}
}

func (c *Cluster) refreshCertificates(ctx context.Context) {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := c.keys.Refresh(); err != nil {
			c.config.Log.Error("the serving certificate cannot be renewed, the one in use stays", "error", err)
		}
	}
}
