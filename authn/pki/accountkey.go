package pki

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
)

// accountKey reads or makes the key pair of service-account tokens. sa.pub follows from sa.key, and is written for
// others that verify tokens; a wrong one would make them refuse good tokens, so that it is reported.
func (d *directory) accountKey() (crypto.Signer, error) {
	key, err := readPEM(d, "sa.key", ParseKey)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return nil, err
	}
	if missing {
		if _, err := d.read("sa.pub"); err == nil {
			return nil, fmt.Errorf("%s is there without %s, so that no token could be signed: restore the key, or remove both to have new ones made, which ends all tokens", d.path("sa.pub"), d.path("sa.key"))
		}
		if key, err = newKey(); err != nil {
			return nil, err
		}
		data, err := encodeKey(key)
		if err != nil {
			return nil, err
		}
		if err := d.write("sa.key", data, secret); err != nil {
			return nil, err
		}
	}
	want, err := encodePublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	have, err := d.read("sa.pub")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return key, d.write("sa.pub", want, secret)
	case err != nil:
		return nil, err
	case !bytes.Equal(bytes.TrimSpace(have), bytes.TrimSpace(want)):
		keys, err := readPEM(d, "sa.pub", ParsePublicKeys)
		if err != nil {
			return nil, err
		}
		if !samePublicKey(keys[0], key.Public()) {
			return nil, fmt.Errorf("%s does not belong to %s: remove it to have it made again", d.path("sa.pub"), d.path("sa.key"))
		}
	}
	return key, nil
}
