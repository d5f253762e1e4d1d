package idp

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

// maxGrants bounds those that wait; who has a password could otherwise fill the memory.
const maxGrants = 1000

// grant is what a code or a refresh token stands for.
type grant struct {
	person    string
	challenge string // PKCE
	redirect  string
	nonce     string
	ends      time.Time
}

// grants gives each a secret that is good once. They are found by the secret's hash, so that the time that this takes tells
// nothing of it.
type grants struct {
	now      func() time.Time
	lifetime time.Duration
	mu       sync.Mutex
	byHash   map[[sha256.Size]byte]grant
}

func newGrants(now func() time.Time, lifetime time.Duration) *grants {
	return &grants{now: now, lifetime: lifetime, byHash: map[[sha256.Size]byte]grant{}}
}

// add keeps a grant, and returns its secret, "" when there are too many.
func (g *grants) add(what grant) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	for hash, old := range g.byHash {
		if now.After(old.ends) {
			delete(g.byHash, hash)
		}
	}
	if len(g.byHash) >= maxGrants {
		return ""
	}
	secret := rand.Text() + rand.Text()
	what.ends = now.Add(g.lifetime)
	g.byHash[sha256.Sum256([]byte(secret))] = what
	return secret
}

// take returns what a secret stands for, once.
func (g *grants) take(secret string) (grant, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	hash := sha256.Sum256([]byte(secret))
	found, ok := g.byHash[hash]
	delete(g.byHash, hash)
	return found, ok && !g.now().After(found.ends)
}
