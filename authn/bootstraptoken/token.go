package bootstraptoken

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// Patterns of a token and of its id, as errors and help show them.
const (
	Pattern   = `\A([a-z0-9]{6})\.([a-z0-9]{16})\z`
	IDPattern = `\A([a-z0-9]{6})\z`

	idLength, secretLength = 6, 16
)

// Token is ID.SECRET.
type Token struct{ ID, Secret string }

// ErrMalformed is returned for what is no token. It does not repeat what it was.
var ErrMalformed = fmt.Errorf("the bootstrap token is not of the form %q", Pattern)

// Parse takes a token apart.
func Parse(text string) (Token, error) {
	id, secret, _ := strings.Cut(text, ".")
	if !ValidID(id) || len(secret) != secretLength || !lowerAlnum(secret) {
		return Token{}, ErrMalformed
	}
	return Token{id, secret}, nil
}

// ValidID tells whether id may be a token's.
func ValidID(id string) bool { return len(id) == idLength && lowerAlnum(id) }

func lowerAlnum(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') })
}

// New makes a token that nobody can guess: 36^16 secrets.
func New() (Token, error) {
	id, err := random(idLength)
	if err != nil {
		return Token{}, err
	}
	secret, err := random(secretLength)
	return Token{id, secret}, err
}

func random(length int) (string, error) {
	const letters = "0123456789abcdefghijklmnopqrstuvwxyz"
	text := make([]byte, length)
	for i := range text {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			return "", errors.New("the system has no random numbers for a token")
		}
		text[i] = letters[n.Int64()]
	}
	return string(text), nil
}

// Value is the token as it is used. It is a credential.
func (t Token) Value() string { return t.ID + "." + t.Secret }

// String is for logs and errors: it leaves out the secret.
func (t Token) String() string { return t.ID + ".…" }

// GoString is as String, for %#v.
func (t Token) GoString() string { return t.String() }
