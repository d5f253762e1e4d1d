package pki

import (
	"crypto"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options say what a cluster's certificates must hold. The zero value suits a cluster on this machine alone.
type Options struct {
	// Now is the clock that begins, ends and renewals are taken from. Default: time.Now.
	Now func() time.Time
	// ServerNames and ServerIPs are names of the API server beyond those it always has.
	ServerNames []string
	ServerIPs   []net.IP
	// ServiceIP is the address of the Service kubernetes, by which pods call the server. Default: 10.96.0.1.
	ServiceIP net.IP
}

// PKI is the directory of a cluster's certificates. It is safe for use by many goroutines.
type PKI struct {
	options  Options
	dir      *directory
	loopback *Authority
	held     atomic.Pointer[held]

	changing sync.Mutex // held while held is replaced
	seen     []look     // the files, as they were when held was read
}

// held is what the directory's files held when they were last good.
type held struct {
	authorities []*Authority // as in the table
	certs       []tls.Certificate
	accountKey  crypto.Signer
	accountKeys []crypto.PublicKey // further ones, which verify alone
}

// Open reads the directory of that name and makes what is missing. The directory's owner must see to it that no other
// process opens it. An error is one sentence that names a file and says what to do about it.
func Open(name string, o Options) (*PKI, error) {
	dir, err := openDirectory(name)
	if err != nil {
		return nil, err
	}
	return open(dir, o)
}

func open(dir *directory, o Options) (*PKI, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	p := &PKI{options: o, dir: dir}
	if err := p.load(); err != nil {
		dir.close()
		return nil, err
	}
	return p, nil
}

// Close releases the directory. What was read from it stays good.
func (p *PKI) Close() error { return p.dir.close() }

// load reads or makes everything; what does not depend on one another at the same time, for most of the time goes
// into waiting for the disk.
func (p *PKI) load() error {
	if err := p.dir.mkdir("etcd"); err != nil {
		return err
	}
	h := &held{authorities: make([]*Authority, len(authorities))}
	tasks := []func() error{func() (err error) { h.accountKey, h.accountKeys, err = p.dir.accountKey(); return }}
	for i, row := range authorities {
		tasks = append(tasks, func() (err error) { h.authorities[i], err = p.authority(row.name, row.commonName); return })
	}
	if p.loopback == nil {
		tasks = append(tasks, p.makeLoopback)
	}
	if err := together(tasks...); err != nil {
		return err
	}
	rows := leaves(p.options)
	h.certs = make([]tls.Certificate, len(rows))
	tasks = nil
	for i, row := range rows {
		tasks = append(tasks, func() (err error) { h.certs[i], err = p.leaf(h.signer(row), row); return })
	}
	if err := together(tasks...); err != nil {
		return err
	}
	p.held.Store(h)
	p.seen = p.dir.looks()
	return p.dir.sync()
}

// together runs tasks at the same time and returns the first error in the tasks' order.
func together(tasks ...func() error) error {
	errs := make([]error, len(tasks))
	var wg sync.WaitGroup
	for i, task := range tasks {
		wg.Go(func() { errs[i] = task() })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// authority reads or makes the authority of that name. A certificate without a key is one whose key is kept elsewhere.
func (p *PKI) authority(name, commonName string) (*Authority, error) {
	pair, err := p.dir.readPair(name)
	if err != nil {
		return nil, err
	}
	now := p.options.Now()
	switch {
	case pair.Cert == nil && pair.Key == nil:
		if pair.Key, err = newKey(); err != nil {
			return nil, err
		}
		fallthrough
	case pair.Cert == nil: // a crash, or somebody removed it: whoever trusts the key still does
		if pair.Cert, err = selfSign(commonName, pair.Key, now, authorityLifetime); err != nil {
			return nil, err
		}
		return newAuthority(name, pair, p.options.Now), p.dir.writePair(name, pair)
	case !pair.Cert.IsCA:
		return nil, fmt.Errorf("%s is not the certificate of an authority (its basic constraints do not say CA)", p.dir.path(name+".crt"))
	case now.After(pair.Cert.NotAfter):
		return nil, fmt.Errorf("%s expired on %s: replace it, or remove it to have a new one made for the same key", p.dir.path(name+".crt"), pair.Cert.NotAfter.Format(time.DateOnly))
	}
	return newAuthority(name, pair, p.options.Now), nil
}

// signer is the authority of a row of the table.
func (h *held) signer(row leaf) *Authority {
	i := slices.IndexFunc(h.authorities, func(a *Authority) bool { return a.name == row.authority })
	return h.authorities[i]
}

// leaf reads a certificate of the table, and issues it if it is missing, about to expire or short of a name.
func (p *PKI) leaf(authority *Authority, row leaf) (tls.Certificate, error) {
	pair, err := p.dir.readPair(row.name)
	if err != nil {
		return tls.Certificate{}, err
	}
	crt := p.dir.path(row.name + ".crt")
	why := "it is missing"
	whole := pair.Cert != nil && pair.Key != nil
	if whole {
		if !authority.Signed(pair.Cert) {
			return tls.Certificate{}, fmt.Errorf("%s is not signed by %s: put back the authority that signed it, or remove it and its key to have new ones made", crt, p.dir.path(row.authority+".crt"))
		}
		if why = row.profile.stale(pair.Cert, p.options.Now()); why == "" {
			return pair.TLS(), nil
		}
	}
	if pair.Key == nil {
		if pair.Key, err = newKey(); err != nil {
			return tls.Certificate{}, err
		}
	}
	cert, err := authority.issue(row.profile, pair.Key.Public())
	if errors.Is(err, ErrNoKey) {
		if whole && p.options.Now().Before(pair.Cert.NotAfter) {
			return pair.TLS(), nil // the best there is
		}
		return tls.Certificate{}, fmt.Errorf("%s must be issued (%s), and %s is not here to sign it: put one of them in place", crt, why, p.dir.path(row.authority+".key"))
	}
	if err != nil {
		return tls.Certificate{}, err
	}
	pair = &Pair{Cert: cert, Key: pair.Key}
	return pair.TLS(), p.dir.writePair(row.name, pair)
}

// Authority is the cluster's: it signs the API server's, the kubelets' and the clients' certificates.
func (p *PKI) Authority() *Authority { return p.held.Load().authorities[0] }

// FrontProxy is the authority of authenticating proxies, whose word on who is asking is believed. It must never sign
// certificates of anybody else.
func (p *PKI) FrontProxy() *Authority { return p.held.Load().authorities[1] }

// CABundle is what clients need to trust the server: ca.crt.
func (p *PKI) CABundle() []byte { return p.Authority().PEM() }

// ServiceAccountKey signs service-account tokens.
func (p *PKI) ServiceAccountKey() crypto.Signer { return p.held.Load().accountKey }

// ServiceAccountKeys are further keys of tokens that are good still, or will be: while one key takes over from another.
func (p *PKI) ServiceAccountKeys() []crypto.PublicKey { return p.held.Load().accountKeys }

// KubeletClient is what the API server presents when it calls a kubelet.
func (p *PKI) KubeletClient() tls.Certificate { return p.held.Load().certs[1] }

// FrontProxyClient is what the API server presents when it acts as an authenticating proxy, towards aggregated API servers.
func (p *PKI) FrontProxyClient() tls.Certificate { return p.held.Load().certs[2] }
