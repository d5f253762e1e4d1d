package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/rogpeppe/go-internal/testscript"
)

// issuer is a small OpenID Connect issuer: it publishes keys, and signs what it is told to.
type issuer struct {
	*httptest.Server
	mu  sync.Mutex
	key *rsa.PrivateKey
	id  int // of the key
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		json.NewEncoder(w).Encode(map[string]string{"issuer": i.URL, "jwks_uri": i.URL + "/keys"})
	case "/keys":
		json.NewEncoder(w).Encode(map[string]any{"keys": []any{map[string]string{
			"kty": "RSA", "alg": "RS256", "use": "sig", "kid": fmt.Sprint(i.id), "e": "AQAB",
			"n": base64.RawURLEncoding.EncodeToString(i.key.N.Bytes()),
		}}})
	default:
		http.NotFound(w, r)
	}
}

// rotate takes a new key, and publishes no other.
func (i *issuer) rotate() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.key, i.id = key, i.id+1
	return nil
}

type issuerKey struct{}

// cmdIssuer starts an issuer, as ISSUER, whose server's authority is issuer.crt; or, with `rotate`, changes its key.
func cmdIssuer(ts *testscript.TestScript, neg bool, args []string) {
	i := ts.Value(issuerKey{}).(*issuer)
	ts.Check(i.rotate())
	if i.Server != nil {
		return
	}
	i.Server = httptest.NewUnstartedServer(i)
	i.Config.ErrorLog = log.New(io.Discard, "", 0)
	i.StartTLS()
	ts.Defer(i.Close)
	ts.Setenv("ISSUER", i.URL)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Certificate().Raw})
	ts.Check(os.WriteFile(ts.MkAbs("issuer.crt"), ca, 0o600))
}

// cmdIDToken prints a token with the claims given. Issuer and time are filled in where they are missing; the key is
// the issuer's, or with -forged another under its name.
func cmdIDToken(ts *testscript.TestScript, neg bool, args []string) {
	i := ts.Value(issuerKey{}).(*issuer)
	key := i.key
	if len(args) == 3 && args[1] == "-forged" {
		var err error
		key, err = rsa.GenerateKey(rand.Reader, 2048)
		ts.Check(err)
		args = []string{args[0], args[2]}
	}
	if len(args) != 2 || neg {
		ts.Fatalf("usage: idtoken VARIABLE [-forged] CLAIMS")
	}
	claims := jwt.MapClaims{"iss": i.URL, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
	ts.Check(json.Unmarshal([]byte(args[1]), &claims))
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	token.Header["kid"] = fmt.Sprint(i.id)
	raw, err := token.SignedString(key)
	ts.Check(err)
	ts.Setenv(args[0], raw)
}
