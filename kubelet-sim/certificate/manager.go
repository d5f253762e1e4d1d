package certificate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
)

const (
	// patience is how long a request may wait to be signed; then another is made.
	patience = 15 * time.Minute
	// firstRetry and lastRetry are the pauses after a certificate was not to be had.
	firstRetry, lastRetry = 2 * time.Second, 15 * time.Minute
)

// Config is what a Manager needs.
type Config struct {
	// Name is that of the file, less -current.pem: kubelet-client or kubelet-server.
	Name     string
	Template Template
	Dir      *Dir
	// Client is who asks for a certificate.
	Client kubernetes.Interface
	Now    func() time.Time
	Log    *slog.Logger
	// Asked is told the name of each request that is made. May be nil.
	Asked func(name string)
}

// Manager keeps one certificate fresh.
type Manager struct {
	config  Config
	current atomic.Pointer[tls.Certificate]
	changed func() // set by Transport, before Run
}

// NewManager makes one that starts with the certificate on disk, if that is for the node and still good.
func NewManager(config Config) *Manager {
	m := &Manager{config: config}
	if pair := config.Dir.load(config.Name); pair != nil && m.suits(pair.Leaf) {
		m.current.Store(pair)
	}
	return m
}

// suits tells whether a certificate is in force and says what the template does.
func (m *Manager) suits(c *x509.Certificate) bool {
	now, t := m.config.Now(), m.config.Template
	if now.Before(c.NotBefore) || !now.Before(c.NotAfter) || c.Subject.CommonName != "system:node:"+t.Node {
		return false
	}
	for _, name := range t.Names {
		if c.VerifyHostname(name) != nil {
			return false
		}
	}
	for _, ip := range t.IPs {
		if c.VerifyHostname(ip.String()) != nil {
			return false
		}
	}
	return true
}

// Current is the certificate in use, nil while there is none.
func (m *Manager) Current() *tls.Certificate { return m.current.Load() }

// SetClient changes who asks: the first certificate is asked for by a token, later ones by the certificate before. Call it
// before Run.
func (m *Manager) SetClient(client kubernetes.Interface) { m.config.Client = client }

// Obtain asks for a certificate, waits until it is signed, keeps it and puts it in use. It returns a *RefusedError when the
// request is denied.
func (m *Manager) Obtain(ctx context.Context) error {
	key, request, err := m.config.Template.request()
	if err != nil {
		return err
	}
	csr, err := submit(ctx, m.config.Client, m.config.Template, request)
	if err != nil {
		return err
	}
	if m.config.Asked != nil {
		m.config.Asked(csr.Name)
	}
	certificate, err := await(ctx, m.config.Client, csr)
	if err != nil {
		return err
	}
	data, pair, err := bundle(certificate, key)
	if err != nil {
		return err
	}
	if !m.suits(pair.Leaf) {
		return fmt.Errorf("the certificate that was issued for %s is not what was asked for, or not in force now", csr.Name)
	}
	if err := m.config.Dir.write(m.config.Name+suffix, data); err != nil {
		return err
	}
	m.current.Store(&pair)
	if m.changed != nil {
		m.changed()
	}
	return nil
}

// Run replaces the certificate in time, again and again, until ctx ends. What was used before stays in use meanwhile.
func (m *Manager) Run(ctx context.Context) error {
	retry := firstRetry
	for {
		if pair := m.Current(); pair != nil && !sleep(ctx, max(renewAt(pair.Leaf).Sub(m.config.Now()), firstRetry)) {
			return nil
		}
		trying, done := context.WithTimeout(ctx, patience)
		err := m.Obtain(trying)
		done()
		if err == nil {
			retry = firstRetry
			m.config.Log.Info("a certificate is in use", "certificate", m.config.Name, "until", m.Current().Leaf.NotAfter)
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		if refused(err) {
			retry = lastRetry
		}
		m.config.Log.Warn("a certificate is not to be had, trying again later", "certificate", m.config.Name, "err", err, "after", retry)
		if !sleep(ctx, retry) {
			return nil
		}
		retry = min(2*retry, lastRetry)
	}
}

// renewAt is when a certificate is replaced: after 70 to 90 percent of its life, so that not all nodes come at once.
func renewAt(c *x509.Certificate) time.Time {
	life := c.NotAfter.Sub(c.NotBefore)
	return c.NotBefore.Add(wait.Jitter(life*7/10, 2.0/7))
}

// sleep waits, and tells whether ctx did not end before.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
