package cluster

import (
	"context"
	"crypto"
	"fmt"
	"os"
	"slices"
	"sync"

	"coracle/authn"
	"coracle/authn/pki"
	"coracle/authn/token"
)

// accountKeys are the keys of service-account tokens: one signs, all verify. Where files of flags hold them, they are read
// again when they change, all tokens of keys that are still among them staying good. To rotate: add the new key's public
// half to a --service-account-key-file, make it the signing key, and take the old one out when its tokens are over.
type accountKeys struct {
	own     *pki.PKI
	signing *authn.File[crypto.Signer] // nil: the cluster's own key signs
	further []*authn.File[[]crypto.PublicKey]

	mu   sync.Mutex // held while keys is replaced: files change independently
	keys *token.Keys
}

// accountKeys reads the keys, and has their files watched.
func (a *authentication) accountKeys(config Config, own *pki.PKI) (*token.Keys, error) {
	k := &accountKeys{own: own}
	a.watch("--data-dir", ownKeys{k})
	if path := config.ServiceAccountSigningKeyFile; path != "" {
		file, err := authn.OpenFile(path, pki.ParseKey)
		if err != nil {
			return nil, fmt.Errorf("--service-account-signing-key-file: %w", err)
		}
		if info, err := os.Stat(path); err == nil {
			if err := pki.Exposed(path, info); err != nil {
				config.Log.Warn("whoever has the key can sign tokens of every service account", "flag", "--service-account-signing-key-file", "error", err)
			}
		}
		k.signing = file
		a.watch("--service-account-signing-key-file", keyFile{k, file})
	}
	for _, path := range config.ServiceAccountKeyFiles {
		file, err := authn.OpenFile(path, pki.ParsePublicKeys)
		if err != nil {
			return nil, fmt.Errorf("--service-account-key-file: %w", err)
		}
		k.further = append(k.further, file)
		a.watch("--service-account-key-file", keyFile{k, file})
	}
	var err error
	signer, further := k.current()
	k.keys, err = token.NewKeys(signer, further...)
	if err != nil {
		return nil, fmt.Errorf("the keys of service-account tokens: %w", err)
	}
	return k.keys, nil
}

// current is the key that signs, and all others that verify.
func (k *accountKeys) current() (signer crypto.Signer, further []crypto.PublicKey) {
	signer, further = k.own.ServiceAccountKey(), slices.Clone(k.own.ServiceAccountKeys())
	if k.signing != nil {
		further = append(further, signer.Public())
		signer = k.signing.Get()
	}
	for _, file := range k.further {
		further = append(further, file.Get()...)
	}
	return signer, further
}

// keyFile is one of the files.
type keyFile struct {
	of   *accountKeys
	file authn.Reloader
}

// Reload puts the keys in use, if the file has changed.
func (f keyFile) Reload(ctx context.Context) (bool, error) {
	changed, err := f.file.Reload(ctx)
	if err != nil || !changed {
		return false, err
	}
	return true, f.of.replace()
}

// replace puts those keys in use that the files have now.
func (k *accountKeys) replace() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	signer, further := k.current()
	return k.keys.Replace(signer, further...)
}

// ownKeys are the files of DATA-DIR/pki: the server's certificates and authorities, and the keys of tokens.
type ownKeys struct{ *accountKeys }

// Reload puts in use what somebody replaced.
func (o ownKeys) Reload(context.Context) (bool, error) {
	changed, err := o.own.Reload()
	if err != nil || !changed {
		return false, err
	}
	return true, o.replace()
}
