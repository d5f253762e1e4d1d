package cluster

import (
	"bytes"
	"context"
	"time"
)

// authorityWatch hands a change of the cluster's authorities on to those who publish them: in each namespace's
// kube-root-ca.crt, in token Secrets, in the signer's ClusterTrustBundle, in cluster-info.
type authorityWatch struct {
	bundle  func() []byte // PEM, of now
	changed func(context.Context) error
}

// lookEvery is how often the bundle is compared with what it was; that costs microseconds.
const lookEvery = time.Second

// Run looks until ctx ends. What could not be handed on is handed on at the next look.
func (w authorityWatch) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	told := w.bundle()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if now := w.bundle(); !bytes.Equal(now, told) && w.changed(ctx) == nil {
			told = now
		}
	}
}
