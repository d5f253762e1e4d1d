package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Rotation replaces certificates and keys in the directory of a cluster, whether its server runs or not: a server
// reads what was replaced within a second. Each file is replaced whole, in an order in which a crash between any two
// leaves a cluster that works, and a rotation that can be asked for again.
type Rotation struct {
	// Dir is the directory of certificates.
	Dir string
	// Kubeconfigs are the files whose client certificates and authorities go along.
	Kubeconfigs []string
	// NodeFiles are the files of nodes' certificates, each with its key.
	NodeFiles []string
	// Validity is how long what is issued lives. Default: as long as kubeadm's.
	Validity time.Duration
	// DryRun says what would be done, and does nothing.
	DryRun bool
	// Finish allows the last stage, after which what the old authority or key signed is good no more.
	Finish bool
	// Now is the clock. Default: time.Now.
	Now func() time.Time

	crash func() bool // for tests, see directory
}

// Change is one thing that a rotation does.
type Change struct {
	File string `json:"file"`
	What string `json:"what"`
}

// Everything is the name by which all certificates are rotated, and no authority.
const Everything = "all"

// ErrUnknown is returned for a name that there is nothing to rotate by.
var ErrUnknown = errors.New("there is no certificate, authority or key of that name")

// Rotate replaces what is called name: a certificate, a kubeconfig, Everything; or takes an authority, or sa, a stage
// further. It returns what was done, or would be.
func (r Rotation) Rotate(name string) ([]Change, error) {
	r.setDefaults()
	dir, err := existingDirectory(r.Dir)
	if err != nil {
		return nil, err
	}
	defer dir.close()
	dir.crash = r.crash
	if !r.DryRun {
		unlock, err := dir.lock()
		if err != nil {
			return nil, err
		}
		defer unlock()
	}
	t := &turn{Rotation: r, p: &PKI{options: Options{Now: r.Now}, dir: dir}}
	held, err := t.p.peek()
	if err != nil {
		return nil, err
	}
	t.p.held.Store(held)
	err = t.rotate(name)
	if !r.DryRun {
		err = errors.Join(err, dir.sync())
	}
	return t.changes, err
}

func (r *Rotation) setDefaults() {
	if r.Now == nil {
		r.Now = time.Now
	}
}

// turn is one rotation under way.
type turn struct {
	Rotation
	p       *PKI
	changes []Change
}

// do notes a change and, unless that is all that was asked for, makes it.
func (t *turn) do(file, what string, change func() error) error {
	t.changes = append(t.changes, Change{file, what})
	if t.DryRun {
		return nil
	}
	return change()
}

func (t *turn) rotate(name string) error {
	if name == "sa" {
		return t.accountKey()
	}
	h := t.p.held.Load()
	for _, a := range h.authorities {
		if a.name == name {
			return t.authority(a)
		}
	}
	found := false
	for _, row := range leaves(Options{}) {
		if name == row.name || name == Everything {
			found = true
			if err := t.leaf(h.signer(row), row); err != nil {
				return err
			}
		}
	}
	for _, path := range t.Kubeconfigs {
		if name == KubeconfigName(path) || name == Everything {
			found = true
			before := len(t.changes)
			if err := t.kubeconfig(path, true); err != nil {
				return err
			}
			if name != Everything && len(t.changes) == before {
				return fmt.Errorf("%s holds no certificate of this cluster to replace; `coracle pki show %s` tells what it goes by", path, name)
			}
		}
	}
	for _, path := range t.NodeFiles {
		if name == NodeFileName(path) || name == Everything {
			found = true
			if err := t.nodeFile(path, true); err != nil {
				return err
			}
		}
	}
	if !found {
		return ErrUnknown
	}
	return nil
}

// KubeconfigName is what a kubeconfig is called: admin.conf, or node-1/kubelet.conf.
func KubeconfigName(path string) string {
	if base := filepath.Base(path); base == "kubelet.conf" {
		return filepath.Base(filepath.Dir(path)) + "/" + base
	}
	return filepath.Base(path)
}

// leaf issues a certificate again, for a new key and the names that it has: as kubeadm does, what is there says what
// is wanted.
func (t *turn) leaf(by *Authority, row leaf) error {
	old, err := t.p.dir.peekPair(row.name)
	if err != nil {
		return err
	}
	return t.do(t.p.dir.path(row.name+".crt"), "a new key, and a certificate from "+by.cert.Subject.CommonName, func() error {
		pair, err := by.issuePair(t.like(old.Cert))
		if err != nil {
			return err
		}
		return t.p.dir.writePair(row.name, pair)
	})
}

// like is the profile of a certificate.
func (t *turn) like(c *x509.Certificate) profile {
	return profile{
		commonName: c.Subject.CommonName, organization: c.Subject.Organization, usages: c.ExtKeyUsage,
		names: c.DNSNames, ips: c.IPAddresses, lifetime: t.Validity,
	}
}

// Stage is how far an authority or a key is in being replaced.
type Stage string

// The stages, in their order.
const (
	Settled Stage = "settled" // there is one
	Trusted Stage = "trusted" // the next one is trusted, and signs nothing yet
	Issued  Stage = "issued"  // the next one signs, and the old one is trusted still
)

func (t *turn) authority(a *Authority) error {
	d, crt := t.p.dir, t.p.dir.path(a.name+".crt")
	if a.key == nil {
		return fmt.Errorf("%s is not here: replace the authority where its key is kept, first putting the new certificate behind the old one in %s: %w", d.path(a.name+".key"), crt, ErrNoKey)
	}
	stage, coming, err := d.stage(a)
	if err != nil {
		return err
	}
	switch {
	case stage == Settled:
		if coming == nil {
			key, err := newKey()
			if err != nil {
				return err
			}
			lifetime := t.Validity
			if lifetime == 0 {
				lifetime = authorityLifetime
			}
			cert, err := selfSign(a.cert.Subject.CommonName, key, t.Now(), lifetime)
			if err != nil {
				return err
			}
			coming = &Pair{Cert: cert, Key: key}
			if err := t.do(d.path(a.name+nextName+".crt"), "the next authority and its key", func() error { return d.writePair(a.name+nextName, coming) }); err != nil {
				return err
			}
		}
		return t.trust(a, append(slices.Clip(a.trusted), coming.Cert))
	case stage == Trusted:
		old := slices.DeleteFunc(slices.Clone(a.trusted), coming.Cert.Equal)
		if err := t.do(crt, "the next authority signs, the old one is trusted still", func() error {
			return d.writePair(a.name, &Pair{Cert: coming.Cert, Key: coming.Key, rest: old})
		}); err != nil {
			return err
		}
		return t.reissue(newAuthority(a.name, &Pair{Cert: coming.Cert, Key: coming.Key, rest: old}, t.Now))
	}
	if err := t.reissue(a); err != nil { // what a crash left over
		return err
	}
	if !t.Finish {
		if len(t.changes) > 0 {
			return nil
		}
		return fmt.Errorf("%s still trusts the authority before, and what that signed is good: add --finish when nobody goes by it any more", crt)
	}
	return t.trust(a, a.trusted[:1])
}

// nextName is added to the name of an authority, or key, that takes over.
const nextName = "-next"

// stage tells how far an authority is, and the one that takes over, if it was made.
func (d *directory) stage(a *Authority) (Stage, *Pair, error) {
	coming, err := d.peekPair(a.name + nextName)
	switch {
	case missing(err) && len(a.trusted) > 1:
		return Issued, nil, nil
	case missing(err):
		return Settled, nil, nil
	case err != nil:
		return "", nil, err
	case coming.Key == nil || coming.Cert.Equal(a.cert) && len(a.trusted) == 1:
		return Settled, nil, nil
	case coming.Cert.Equal(a.cert):
		return Issued, nil, nil
	case slices.ContainsFunc(a.trusted, coming.Cert.Equal):
		return Trusted, coming, nil
	}
	return Settled, coming, nil
}

// trust writes which certificates of an authority are trusted, and into the kubeconfigs as well.
func (t *turn) trust(a *Authority, certs []*x509.Certificate) error {
	d := t.p.dir
	what := "both authorities are trusted, the old one signs"
	if len(certs) == 1 {
		what = "the old authority is trusted no more"
	}
	if err := t.do(d.path(a.name+".crt"), what, func() error { return d.write(a.name+".crt", encodeCertificates(certs), public) }); err != nil {
		return err
	}
	return t.kubeconfigs(newAuthority(a.name, &Pair{Cert: certs[0], Key: a.key, rest: certs[1:]}, t.Now))
}

// reissue replaces all certificates that the authority has not signed itself, and forgets that it was the next.
func (t *turn) reissue(a *Authority) error {
	d := t.p.dir
	for _, row := range leaves(Options{}) {
		pair, err := d.peekPair(row.name)
		if err != nil {
			return err
		}
		if row.authority == a.name && pair.Cert.CheckSignatureFrom(a.cert) != nil {
			if err := t.leaf(a, row); err != nil {
				return err
			}
		}
	}
	if err := t.kubeconfigs(a); err != nil {
		return err
	}
	for _, file := range []string{a.name + nextName + ".key", a.name + nextName + ".key" + next, a.name + nextName + ".crt"} {
		if _, err := d.read(file); missing(err) {
			continue
		}
		if err := t.do(d.path(file), "removed: it is in its place", func() error { return d.remove(file) }); err != nil {
			return err
		}
	}
	return nil
}

// kubeconfigs brings them, and nodes' certificates, up to date with the cluster's authority.
func (t *turn) kubeconfigs(a *Authority) error {
	if a.name != clusterCA {
		return nil
	}
	h := *t.p.held.Load()
	h.authorities = slices.Clone(h.authorities)
	h.authorities[0] = a
	t.p.held.Store(&h)
	for _, path := range t.Kubeconfigs {
		if err := t.kubeconfig(path, false); err != nil {
			return err
		}
	}
	for _, path := range t.NodeFiles {
		if err := t.nodeFile(path, false); err != nil {
			return err
		}
	}
	return nil
}

// Names are what can be rotated.
func (r Rotation) Names() []string {
	names := []string{Everything, "sa"}
	for _, row := range authorities {
		names = append(names, row.name)
	}
	for _, row := range leaves(Options{}) {
		names = append(names, row.name)
	}
	for _, path := range r.Kubeconfigs {
		names = append(names, KubeconfigName(path))
	}
	for _, path := range r.NodeFiles {
		names = append(names, NodeFileName(path))
	}
	slices.SortFunc(names, strings.Compare)
	return names
}
