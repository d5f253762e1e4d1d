package e2e

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdHash prints the hash of a certificate's public key, as a joining node is told it; openssl can do the same.
func cmdHash(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: hash NAME FILE")
	}
	block, _ := pem.Decode([]byte(ts.ReadFile(args[1])))
	c, err := x509.ParseCertificate(block.Bytes)
	ts.Check(err)
	ts.Setenv(args[0], fmt.Sprintf("sha256:%x", sha256.Sum256(c.RawSubjectPublicKeyInfo)))
}

// cmdChanged waits until a file is not any more what it was.
func cmdChanged(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: changed COPY FILE")
	}
	before := ts.ReadFile(args[0])
	for begun := time.Now(); ts.ReadFile(args[1]) == before; time.Sleep(50 * time.Millisecond) {
		if time.Since(begun) > patience {
			ts.Fatalf("%s is as before after %s", args[1], patience)
		}
	}
}
