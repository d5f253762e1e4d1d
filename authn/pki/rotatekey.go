package pki

import (
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// ErrNoAuthority is returned when a directory is no cluster's.
var ErrNoAuthority = errors.New("there is no cluster's authority")

// existingDirectory opens a directory of certificates that is there: nothing is made by looking.
func existingDirectory(name string) (*directory, error) {
	if _, err := os.Stat(filepath.Join(name, clusterCA+".crt")); err != nil {
		return nil, fmt.Errorf("%w in %s: name the cluster's data directory with --data-dir, or start one with `coracle up`", ErrNoAuthority, name)
	}
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, cannot("open", name, err)
	}
	return &directory{root: root, name: name}, nil
}

// accountKey takes the keys of service-account tokens a stage further: the next key is published, it signs, and
// the old one is forgotten.
func (t *turn) accountKey() error {
	d, h := t.p.dir, t.p.held.Load()
	stage, coming, err := d.keyStage(h)
	if err != nil {
		return err
	}
	known := h.accountKeys
	if len(known) == 0 {
		known = []crypto.PublicKey{h.accountKey.Public()}
	}
	switch stage {
	case Settled:
		if coming == nil {
			if coming, err = newKey(); err != nil {
				return err
			}
			data, err := encodeKey(coming)
			if err != nil {
				return err
			}
			if err := t.do(d.path("sa-next.key"), "the next key", func() error { return d.write("sa-next.key", data, secret) }); err != nil {
				return err
			}
		}
		return t.publish("the next key is published, the old one signs", append(slices.Clip(known), coming.Public()))
	case Trusted:
		return t.do(d.path("sa.key"), "the next key signs, tokens of the old one are good still", func() error { return d.rename("sa-next.key", "sa.key") })
	}
	if !t.Finish {
		return fmt.Errorf("%s still has the key before, and its tokens are good: add --finish when they have ended or been replaced, those in Secrets included", d.path("sa.pub"))
	}
	return t.publish("the old key is forgotten, its tokens end", []crypto.PublicKey{h.accountKey.Public()})
}

// keyStage tells how far the keys are, and the one that takes over, if it was made.
func (d *directory) keyStage(h *held) (Stage, crypto.Signer, error) {
	coming, err := readPEM(d, "sa-next.key", ParseKey)
	switch {
	case missing(err) && len(h.accountKeys) > 1:
		return Issued, nil, nil
	case missing(err):
		return Settled, nil, nil
	case err != nil:
		return "", nil, err
	case slices.ContainsFunc(h.accountKeys, func(k crypto.PublicKey) bool { return samePublicKey(k, coming.Public()) }):
		return Trusted, coming, nil
	}
	return Settled, coming, nil
}

func (t *turn) publish(what string, keys []crypto.PublicKey) error {
	return t.do(t.p.dir.path("sa.pub"), what, func() error {
		var data []byte
		for _, k := range keys {
			one, err := encodePublicKey(k)
			if err != nil {
				return err
			}
			data = append(data, one...)
		}
		return t.p.dir.write("sa.pub", data, secret)
	})
}
