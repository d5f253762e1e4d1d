package bootstraptoken

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Pin is the hash of a certificate's public key, as in sha256:8a5f… (RFC 7469, section 2.4, in hexadecimal).
func Pin(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Pins are those that one was told to trust.
type Pins []string

// ParsePins reads them.
func ParsePins(texts []string) (Pins, error) {
	var pins Pins
	for _, text := range texts {
		format, value, ok := strings.Cut(text, ":")
		switch raw, err := hex.DecodeString(value); {
		case !ok:
			return nil, errors.New(`invalid hash, expected "format:hex-value". Known format(s) are: sha256`)
		case !strings.EqualFold(format, "sha256"):
			return nil, fmt.Errorf("unknown hash format %q. Known format(s) are: sha256", format)
		case err != nil:
			return nil, fmt.Errorf("invalid hash %q, could not decode SHA-256 from hex: %w", text, err)
		case len(raw) != sha256.Size:
			return nil, fmt.Errorf("invalid hash %q, expected a %d byte SHA-256 hash, found %d bytes", text, sha256.Size, len(raw))
		default:
			pins = append(pins, "sha256:"+hex.EncodeToString(raw))
		}
	}
	return pins, nil
}

// check reports an error unless one of the certificates is pinned.
func (p Pins) check(certs []*x509.Certificate) error {
	var hashes []string
	for _, c := range certs {
		if slices.Contains(p, Pin(c)) {
			return nil
		}
		hashes = append(hashes, Pin(c))
	}
	return fmt.Errorf("none of the public keys %q are pinned", strings.Join(hashes, ":"))
}
