package pki

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// accountKey reads or makes the key pair of service-account tokens. sa.pub follows from sa.key, and is written for
// others that verify tokens; a wrong one would make them refuse good tokens, so that it is reported. While one key takes
// over from another it has both, and all are returned.
func (d *directory) accountKey() (crypto.Signer, []crypto.PublicKey, error) {
	key, err := readPEM(d, "sa.key", ParseKey)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return nil, nil, err
	}
	if missing {
		if _, err := d.read("sa.pub"); err == nil {
			return nil, nil, fmt.Errorf("%s is there without %s, so that no token could be signed: restore the key, or remove both to have new ones made, which ends all tokens", d.path("sa.pub"), d.path("sa.key"))
		}
		if key, err = newKey(); err != nil {
			return nil, nil, err
		}
		data, err := encodeKey(key)
		if err != nil {
			return nil, nil, err
		}
		if err := d.write("sa.key", data, secret); err != nil {
			return nil, nil, err
		}
	}
	want, err := encodePublicKey(key.Public())
	if err != nil {
		return nil, nil, err
	}
	have, err := d.read("sa.pub")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return key, nil, d.write("sa.pub", want, secret)
	case err != nil:
		return nil, nil, err
	case !bytes.Equal(bytes.TrimSpace(have), bytes.TrimSpace(want)):
		keys, err := readPEM(d, "sa.pub", ParsePublicKeys)
		if err != nil {
			return nil, nil, err
		}
		if !slices.ContainsFunc(keys, func(k crypto.PublicKey) bool { return samePublicKey(k, key.Public()) }) {
			return nil, nil, fmt.Errorf("%s does not belong to %s: remove it to have it made again", d.path("sa.pub"), d.path("sa.key"))
		}
		return key, keys, nil
	}
	return key, nil, nil
}
