package authn

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/authentication/user"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func fixed(now time.Time) func() time.Time { return func() time.Time { return now } }

// ca is an authority for tests.
type ca struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newCA(t testing.TB, name string, parent *ca, change ...func(*x509.Certificate)) *ca {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(9, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	for _, c := range change {
		c(tmpl)
	}
	c := &ca{key: key}
	signer, signKey := tmpl, key
	if parent != nil {
		signer, signKey = parent.cert, parent.key
	}
	c.cert = create(t, tmpl, signer, key, signKey)
	return c
}

func create(t testing.TB, tmpl, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// client issues a client certificate, changed as said.
func (c *ca) client(t testing.TB, name string, change ...func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(5), Subject: pkix.Name{CommonName: name, Organization: []string{"dev", "ops"}},
		NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, c := range change {
		c(tmpl)
	}
	return create(t, tmpl, c.cert, key, c.key)
}

func (c *ca) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(c.cert)
	return p
}

func uid(values ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		for _, v := range values {
			c.Subject.ExtraNames = append(c.Subject.ExtraNames, pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57683, 2}, Value: v})
		}
	}
}

func TestX509(t *testing.T) {
	trusted := newCA(t, "kubernetes", nil)
	double := newCA(t, "kubernetes", nil) // the right name, the wrong key
	middle := newCA(t, "middle", trusted)
	constrained := newCA(t, "constrained", trusted, func(c *x509.Certificate) { c.MaxPathLenZero = true })
	person := newCA(t, "bob", trusted, func(c *x509.Certificate) {
		c.IsCA, c.KeyUsage, c.ExtKeyUsage = false, x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	})
	below := newCA(t, "below", constrained)

	type outcome struct {
		Verdict   string
		Name, UID string
		Groups    []string
		Why, Says string // as decision and as Kubernetes; a prefix of each
	}
	accepted := func(name, uid string) outcome {
		return outcome{Verdict: "accepted", Name: name, UID: uid, Groups: []string{"dev", "ops", "system:authenticated"}}
	}
	for name, test := range map[string]struct {
		certs []*x509.Certificate
		want  outcome
	}{
		"none":                     {nil, outcome{Verdict: "passed", Why: "the client presented no certificate"}},
		"good":                     {[]*x509.Certificate{trusted.client(t, "alice")}, accepted("alice", "")},
		"with a UID":               {[]*x509.Certificate{trusted.client(t, "alice", uid("1234"))}, accepted("alice", "1234")},
		"through an intermediate":  {[]*x509.Certificate{middle.client(t, "alice"), middle.cert}, accepted("alice", "")},
		"odd bytes are what is":    {[]*x509.Certificate{trusted.client(t, "alice\x00\n,O=system:masters")}, accepted("alice\x00\n,O=system:masters", "")},
		"a look-alike is another":  {[]*x509.Certificate{trusted.client(t, "аlice")}, accepted("аlice", "")}, // Cyrillic а
		"several usages":           {[]*x509.Certificate{trusted.client(t, "alice", func(c *x509.Certificate) { c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) })}, accepted("alice", "")},
		"any usage":                {[]*x509.Certificate{trusted.client(t, "alice", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} })}, accepted("alice", "")},
		"names nobody":             {[]*x509.Certificate{trusted.client(t, "")}, outcome{Verdict: "passed", Why: "the certificate's subject has no common name"}},
		"two UIDs":                 {[]*x509.Certificate{trusted.client(t, "alice", uid("1", "2"))}, outcome{Verdict: "refused", Why: "expected 1 UID, but found multiple: [1 2]", Says: "expected 1 UID, but found multiple: [1 2]"}},
		"an empty UID":             {[]*x509.Certificate{trusted.client(t, "alice", uid(""))}, outcome{Verdict: "refused", Why: "UID cannot be an empty string", Says: "UID cannot be an empty string"}},
		"the right authority name": {[]*x509.Certificate{double.client(t, "alice")}, outcome{Verdict: "refused", Why: `the certificate of "alice" was issued by "kubernetes", which is not a trusted authority, or only has its name`, Says: "verifying certificate SN=5, SKID=, AKID="}},
		"its own authority along": {[]*x509.Certificate{double.client(t, "alice"), double.cert},
			outcome{Verdict: "refused", Why: `the certificate of "alice" was issued by "kubernetes", which is not a trusted authority`, Says: "verifying certificate SN=5, SKID=, AKID="}},
		"self-signed":           {[]*x509.Certificate{newCA(t, "alice", nil).cert}, outcome{Verdict: "refused", Why: `the certificate of "alice" was issued by "alice", which is not`, Says: "verifying certificate SN=1, SKID="}},
		"intermediate left out": {[]*x509.Certificate{middle.client(t, "alice")}, outcome{Verdict: "refused", Why: `the certificate of "alice" was issued by "middle", which is not`, Says: "verifying"}},
		"an authority too deep": {[]*x509.Certificate{below.client(t, "alice"), below.cert, constrained.cert}, outcome{Verdict: "refused", Why: `the certificate of "alice"`, Says: "verifying"}},
		"a leaf as authority":   {[]*x509.Certificate{person.client(t, "alice"), person.cert}, outcome{Verdict: "refused", Why: `the certificate of "alice"`, Says: "verifying"}},
		"expired":               {[]*x509.Certificate{trusted.client(t, "alice", func(c *x509.Certificate) { c.NotAfter = noon.Add(-3 * time.Minute) })}, outcome{Verdict: "refused", Why: `the certificate of "alice" expired 3 minutes ago, on 2026-03-01T11:57:00Z`, Says: "verifying certificate SN=5"}},
		"not yet valid":         {[]*x509.Certificate{trusted.client(t, "alice", func(c *x509.Certificate) { c.NotBefore = noon.Add(90 * time.Second) })}, outcome{Verdict: "refused", Why: `the certificate of "alice" is not valid for another 1 minute, until 2026-03-01T12:01:30Z`, Says: "verifying certificate SN=5"}},
		"a server's":            {[]*x509.Certificate{trusted.client(t, "alice", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })}, outcome{Verdict: "refused", Why: `the certificate of "alice" is for servers, not for clients (extended key usage)`, Says: "verifying"}},
		"for signing code":      {[]*x509.Certificate{trusted.client(t, "alice", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} })}, outcome{Verdict: "refused", Why: `the certificate of "alice" is not for clients`, Says: "verifying"}},
		"a critical extension": {[]*x509.Certificate{trusted.client(t, "alice", func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
		})}, outcome{Verdict: "refused", Why: `the certificate of "alice": x509: unhandled critical extension`, Says: "verifying"}},
		"a huge chain":           {append([]*x509.Certificate{trusted.client(t, "alice")}, make([]*x509.Certificate, 1000)...), outcome{Verdict: "refused", Why: `the certificate of "alice": the client presented more than 10 certificates`, Says: "verifying"}},
		"the authority's itself": {[]*x509.Certificate{trusted.cert}, outcome{Verdict: "accepted", Name: "kubernetes", Groups: []string{"system:authenticated"}}},
	} {
		t.Run(name, func(t *testing.T) {
			pool := trusted.pool()
			x := NewX509(func() *x509.CertPool { return pool }, fixed(noon))
			for range 2 { // the second time from memory
				a := x.Authenticate(t.Context(), &Credentials{Certificates: test.certs})
				got := outcome{Verdict: a.Verdict.String()}
				if a.Why != nil {
					got.Why = prefix(a.Why.Error(), test.want.Why)
					if a.Verdict == Refused {
						got.Says = prefix(sentence(a.Why).Error(), test.want.Says)
					}
				}
				if a.User != nil {
					got.Name, got.UID, got.Groups = a.User.GetName(), a.User.GetUID(), a.User.GetGroups()
					if id := a.User.GetExtra()[user.CredentialIDKey]; len(id) != 1 || !strings.HasPrefix(id[0], "X509SHA256=") || len(id[0]) != 75 {
						t.Errorf("credential id is %q", id)
					}
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("outcome (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// prefix cuts s to the length of want, for comparison.
func prefix(s, want string) string {
	if want == "" {
		return s
	}
	return s[:min(len(s), len(want))]
}

func TestX509_MemoryEndsWithTheCertificateAndTheAuthority(t *testing.T) {
	first, second := newCA(t, "kubernetes", nil), newCA(t, "kubernetes", nil)
	short := newCA(t, "short", first, func(c *x509.Certificate) { c.NotAfter = noon.Add(10 * time.Minute) })
	now, pool := noon, first.pool()
	x := NewX509(func() *x509.CertPool { return pool }, func() time.Time { return now })
	alice := &Credentials{Certificates: []*x509.Certificate{first.client(t, "alice")}}
	through := &Credentials{Certificates: []*x509.Certificate{short.client(t, "bob"), short.cert}}
	check := func(when string, c *Credentials, want Verdict) {
		t.Helper()
		if a := x.Authenticate(t.Context(), c); a.Verdict != want {
			t.Errorf("%s: %s, want %s (%v)", when, a.Verdict, want, a.Why)
		}
	}
	check("at first", alice, Accepted)
	check("through an intermediate", through, Accepted)
	now = noon.Add(11 * time.Minute)
	check("when the intermediate has expired", through, Refused)
	check("while the certificate has not", alice, Accepted)
	now = noon.Add(61 * time.Minute)
	check("when the certificate has", alice, Refused)
	now = noon.Add(-61 * time.Minute)
	check("when the clock is set back before it", alice, Refused)
	now = noon
	check("in its time", alice, Accepted)
	pool = second.pool()
	check("under another authority", alice, Refused)
	pool = nil
	check("under none", alice, Passed)
}

func BenchmarkX509(b *testing.B) {
	trusted := newCA(b, "kubernetes", nil)
	pool := trusted.pool()
	x := NewX509(func() *x509.CertPool { return pool }, fixed(noon))
	creds := &Credentials{Certificates: []*x509.Certificate{trusted.client(b, "alice")}}
	chain := NewChain(Strategies{Requests: []Authenticator{x}, Anonymous: NewAnonymous()})
	ask := func(b *testing.B) {
		if r := chain.Authenticate(b.Context(), creds); r.User == nil {
			b.Fatal(r.Error())
		}
	}
	b.Run("remembered", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ask(b)
		}
	})
	b.Run("first seen", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			x.clients.seen.Clear()
			ask(b)
		}
	})
}
