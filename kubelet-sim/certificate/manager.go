package certificate

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	// Patience is how long a request may wait to be signed; then another is made.
	Patience = 15 * time.Minute
	// firstRetry and lastRetry are the pauses after a certificate was not to be had.
	firstRetry, lastRetry = 2 * time.Second, 15 * time.Minute
)

// Config is what a Manager needs.
type Config struct {
	// Name is that of the file, less -current.pem: kubelet-client or kubelet-server.
	Name     string
	Template Template
	// Dir is where it is kept; nil keeps it in memory alone.
	Dir *Dir
	// Client is who asks for a certificate.
	Client kubernetes.Interface
	// Introduce makes the client that asks while there is no certificate in force, such as one with a bootstrap token; done is
	// called when it has asked. nil: Client asks.
	Introduce func(context.Context) (client kubernetes.Interface, done func(), err error)
	// Issue makes a certificate where nobody has to be asked, its key an ECDSA one. nil: somebody is asked.
	Issue func() (tls.Certificate, error)
	// Trusted tells whether a certificate is from an authority that the cluster goes by now. nil: all are. It is not
	// called by two goroutines at once.
	Trusted func(*x509.Certificate) bool
	Now     func() time.Time
	Log     *slog.Logger
	// Asked is told each request that is made, as the server has it. May be nil.
	Asked func(context.Context, *certificatesv1.CertificateSigningRequest)
}

// Manager keeps one certificate fresh.
type Manager struct {
	config  Config
	current atomic.Pointer[tls.Certificate]
	changed func()        // set by Transport, before Run
	first   chan struct{} // closed when there is a certificate
	once    sync.Once     // to close it
	seen    stamp         // the file, when it was last read or written
}

// NewManager makes one that starts with the certificate on disk, if that is for the node and still good.
func NewManager(config Config) *Manager {
	m := &Manager{config: config, first: make(chan struct{})}
	m.reload()
	return m
}

// suits tells whether a certificate is in force and says what the template does.
func (m *Manager) suits(c *x509.Certificate) bool {
	t := m.config.Template
	if !m.inForce(c) || c.Subject.CommonName != "system:node:"+t.Node {
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

// inForce tells whether the cluster takes a certificate now.
func (m *Manager) inForce(c *x509.Certificate) bool {
	now := m.config.Now()
	return !now.Before(c.NotBefore) && now.Before(c.NotAfter) && m.trusted(c)
}

func (m *Manager) trusted(c *x509.Certificate) bool {
	return m.config.Trusted == nil || m.config.Trusted(c)
}

// Current is the certificate in use, nil while there is none.
func (m *Manager) Current() *tls.Certificate { return m.current.Load() }

// Kept tells whether the certificate is on disk as well.
func (m *Manager) Kept() bool { return m.config.Dir != nil }

// Wait returns when there is a certificate, or with the context's error.
func (m *Manager) Wait(ctx context.Context) error {
	select {
	case <-m.first:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// use puts a certificate in use.
func (m *Manager) use(pair *tls.Certificate) {
	m.current.Store(pair)
	m.once.Do(func() { close(m.first) })
	if m.changed != nil {
		m.changed()
	}
}

// SetClient changes who asks: the first certificate is asked for by a token, later ones by the certificate before. Call it
// before Run.
func (m *Manager) SetClient(client kubernetes.Interface) { m.config.Client = client }

// SetTrust says by which authorities a certificate has to be, once that is known: one by another is replaced. Call it before Run.
func (m *Manager) SetTrust(trust *Trust) { m.config.Trusted = trust.Signed }

// Obtain asks for a certificate, waits until it is signed, keeps it and puts it in use. It returns a *RefusedError when the
// request is denied.
func (m *Manager) Obtain(ctx context.Context) error {
	data, pair, err := m.obtain(ctx)
	if err != nil {
		return err
	}
	if m.config.Dir != nil {
		if err := m.config.Dir.write(file(m.config.Name), data); err != nil {
			return err
		}
		m.seen = m.config.Dir.stamp(m.config.Name)
	}
	m.use(&pair)
	return nil
}

func (m *Manager) obtain(ctx context.Context) (data []byte, pair tls.Certificate, err error) {
	if m.config.Issue != nil {
		return m.issue()
	}
	client, now := m.config.Client, m.Current()
	first := now == nil || !m.inForce(now.Leaf)
	if first && m.config.Introduce != nil {
		as, done, err := m.config.Introduce(ctx)
		if err != nil {
			return nil, pair, err
		}
		defer done()
		client = as
	}
	asking := m.newRequest
	if first && m.config.Template.Signer == certificatesv1.KubeAPIServerClientKubeletSignerName {
		asking = m.firstRequest
	}
	r, err := asking()
	if err != nil {
		return nil, pair, err
	}
	csr, err := submit(ctx, client, m.config.Template, r)
	if err != nil {
		return nil, pair, err
	}
	if m.config.Asked != nil {
		m.config.Asked(ctx, csr)
	}
	certificate, err := await(ctx, client, csr)
	if err != nil && !refused(err) {
		return nil, pair, err
	}
	r.answered()
	if err != nil {
		return nil, pair, err
	}
	if data, pair, err = bundle(certificate, r.key); err != nil {
		return nil, pair, err
	}
	if !m.suits(pair.Leaf) {
		return nil, pair, fmt.Errorf("the certificate that was issued for %s is not what was asked for, or not in force now", csr.Name)
	}
	return data, pair, nil
}

func (m *Manager) issue() ([]byte, tls.Certificate, error) {
	issued, err := m.config.Issue()
	if err != nil {
		return nil, issued, err
	}
	key, ok := issued.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, issued, errors.New("the certificate that was issued is for no ECDSA key")
	}
	var chain []byte
	for _, der := range issued.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return bundle(chain, key)
}

// reload takes up the certificate on disk if it is another one than was last read or written, and suits.
func (m *Manager) reload() bool {
	if m.config.Dir == nil {
		return false
	}
	now := m.config.Dir.stamp(m.config.Name)
	if now == m.seen {
		return false
	}
	m.seen = now
	pair, err := m.config.Dir.load(m.config.Name)
	if err != nil {
		m.config.Log.Warn("a certificate on disk is not used", "certificate", m.config.Name, "err", err)
	}
	if pair == nil || !m.suits(pair.Leaf) {
		return false
	}
	m.use(pair)
	return true
}

// Run replaces the certificate in time, again and again, until ctx ends. What was used before stays in use meanwhile. One
// that somebody else put in its file is used within a second.
func (m *Manager) Run(ctx context.Context) error {
	retry, fresh := firstRetry, false
	for {
		if m.Current() != nil && !m.rest(ctx, fresh) {
			return nil
		}
		trying, done := context.WithTimeout(ctx, Patience)
		err := m.Obtain(trying)
		done()
		if fresh = err == nil; fresh {
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
