package certificate

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"
)

// Trust is the authorities that a node goes by: those in its kubelet.conf, as that is now. While the cluster's authority is replaced,
// somebody writes the next one into it, as into files on the nodes of any cluster; since v1.37 kubelets need no restart for that.
type Trust struct {
	dir     *Dir
	current atomic.Pointer[authorities]
}

type authorities struct {
	data  []byte // PEM
	certs []*x509.Certificate
	pool  *x509.CertPool
}

// Trust reads the authorities; SaveCluster has been called.
func (d *Dir) Trust() (*Trust, error) {
	t := &Trust{dir: d}
	_, err := t.reload()
	return t, err
}

// Pool is those that are trusted now.
func (t *Trust) Pool() *x509.CertPool { return t.current.Load().pool }

// Signed tells whether one of them has signed a certificate.
func (t *Trust) Signed(c *x509.Certificate) bool {
	return slices.ContainsFunc(t.current.Load().certs, func(by *x509.Certificate) bool { return c.CheckSignatureFrom(by) == nil })
}

// reload reads the file again, and tells whether it trusts others than before.
func (t *Trust) reload() (changed bool, err error) {
	_, data, err := t.dir.Cluster()
	if err != nil {
		return false, err
	}
	if now := t.current.Load(); now != nil && bytes.Equal(now.data, data) {
		return false, nil
	}
	next := &authorities{data: data, pool: x509.NewCertPool()}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return false, errors.New("the cluster's authorities are not understood")
		}
		next.certs = append(next.certs, c)
		next.pool.AddCert(c)
	}
	if len(next.certs) == 0 {
		return false, errors.New("the cluster's authorities are not understood")
	}
	t.current.Store(next)
	return true, nil
}

// Run reads the file again and again, until ctx ends. What cannot be used is told once, and what was read before stays in force.
func (t *Trust) Run(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	told := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		changed, err := t.reload()
		if err != nil && err.Error() != told {
			told = err.Error()
			log.Warn("a changed kubelet.conf is refused, the authorities before stay in force", "err", err)
		}
		if changed {
			told = ""
			log.Info("the authorities of a changed kubelet.conf are in force")
		}
	}
}
