package pki

import (
	"fmt"
	"slices"
	"time"
)

// look is what a look at a file's directory entry shows.
type look struct {
	mod  time.Time
	size int64
}

// looks are those of all files that are read, in a fixed order; a missing file's is zero.
func (d *directory) looks() []look {
	names := []string{"sa.key", "sa.pub"}
	for _, row := range authorities {
		names = append(names, row.name+".crt", row.name+".key")
	}
	for _, row := range leaves(Options{}) {
		names = append(names, row.name+".crt", row.name+".key")
	}
	all := make([]look, len(names))
	for i, name := range names {
		if info, err := d.root.Stat(name); err == nil {
			all[i] = look{info.ModTime(), info.Size()}
		}
	}
	return all
}

// Reload reads the files again if somebody replaced one, and says whether anything is new. It writes nothing. On an
// error, which is told once, all that is in use stays.
func (p *PKI) Reload() (changed bool, err error) {
	p.changing.Lock()
	defer p.changing.Unlock()
	now := p.dir.looks()
	if slices.Equal(now, p.seen) {
		return false, nil
	}
	p.seen = now
	h, err := p.peek()
	if err != nil {
		return false, err
	}
	p.held.Store(h)
	return true, nil
}

// peek reads everything and changes nothing.
func (p *PKI) peek() (*held, error) {
	h := &held{}
	for _, row := range authorities {
		pair, err := p.dir.peekPair(row.name)
		if err != nil {
			return nil, err
		}
		if !pair.Cert.IsCA {
			return nil, fmt.Errorf("%s is not the certificate of an authority (its basic constraints do not say CA)", p.dir.path(row.name+".crt"))
		}
		h.authorities = append(h.authorities, newAuthority(row.name, pair, p.options.Now))
	}
	for _, row := range leaves(Options{}) {
		pair, err := p.dir.peekPair(row.name)
		if err != nil {
			return nil, err
		}
		if pair.Key == nil {
			return nil, fmt.Errorf("%s is there without its key", p.dir.path(row.name+".crt"))
		}
		if !h.signer(row).Signed(pair.Cert) {
			return nil, fmt.Errorf("%s is not signed by %s", p.dir.path(row.name+".crt"), p.dir.path(row.authority+".crt"))
		}
		h.certs = append(h.certs, pair.TLS())
	}
	keys, err := p.accountKeyHeld()
	if err != nil {
		return nil, err
	}
	h.accountKey, h.accountKeys = keys.accountKey, keys.accountKeys
	return h, nil
}
