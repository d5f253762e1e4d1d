package pki

import "crypto/tls"

// Loopback is an authority that lives in this process's memory alone. It certifies those parts of the process that
// nobody outside can be: kube-apiserver has the like for the calls that it makes to itself. What it certified needs
// neither the cluster authority's key, which may be kept elsewhere, nor a new certificate when that authority is
// replaced.
func (p *PKI) Loopback() *Authority { return p.loopback }

// LoopbackCertificate certifies the identity, for as long as the process lives.
func (p *PKI) LoopbackCertificate(id Identity) (tls.Certificate, error) {
	profile := id.profile()
	profile.lifetime = authorityLifetime
	pair, err := p.loopback.issuePair(profile)
	if err != nil {
		return tls.Certificate{}, err
	}
	return pair.TLS(), nil
}

func (p *PKI) makeLoopback() error {
	key, err := newKey()
	if err != nil {
		return err
	}
	cert, err := selfSign("loopback", key, p.options.Now(), authorityLifetime)
	if err != nil {
		return err
	}
	p.loopback = newAuthority("loopback", &Pair{Cert: cert, Key: key}, p.options.Now)
	return nil
}
