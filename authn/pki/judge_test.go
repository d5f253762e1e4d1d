package pki

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestJudge_Hostile is the table of certificates that somebody might try, and what is found wrong with each.
func TestJudge_Hostile(t *testing.T) {
	p, other := mustOpen(t, t.TempDir(), Options{Now: at(epoch)}), mustOpen(t, t.TempDir(), Options{Now: at(epoch)})
	sign := func(by *Authority, template x509.Certificate) []*x509.Certificate {
		t.Helper()
		key, err := newKey()
		if err != nil {
			t.Fatal(err)
		}
		if template.NotBefore.IsZero() {
			template.NotBefore = epoch.Add(-time.Hour)
		}
		if template.NotAfter.IsZero() {
			template.NotAfter = epoch.Add(time.Hour)
		}
		template.Subject = pkix.Name{CommonName: "mallory"}
		c, err := by.Sign(&template, key.Public())
		if err != nil {
			t.Fatal(err)
		}
		return []*x509.Certificate{c}
	}
	// constrained is an intermediate authority for one domain, and what it signed for another.
	constrained := func() []*x509.Certificate {
		key, err := newKey()
		if err != nil {
			t.Fatal(err)
		}
		middle, err := p.Authority().Sign(&x509.Certificate{
			Subject: pkix.Name{CommonName: "middle"}, NotBefore: epoch.Add(-time.Hour), NotAfter: epoch.Add(time.Hour),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
			PermittedDNSDomainsCritical: true, PermittedDNSDomains: []string{"inside.example"},
		}, key.Public())
		if err != nil {
			t.Fatal(err)
		}
		by := newAuthority("middle", &Pair{Cert: middle, Key: key}, at(epoch))
		return append(sign(by, x509.Certificate{ExtKeyUsage: serverAuth, DNSNames: []string{"localhost"}}), middle)
	}
	server := x509.Certificate{ExtKeyUsage: serverAuth, DNSNames: []string{"localhost"}}
	with := func(change func(*x509.Certificate)) x509.Certificate { c := server; change(&c); return c }
	good := sign(p.Authority(), server)
	for name, test := range map[string]struct {
		chain []*x509.Certificate
		usage x509.ExtKeyUsage
		wrong []string
	}{
		"a good one":                          {good, x509.ExtKeyUsageServerAuth, nil},
		"another authority of the same name":  {sign(other.Authority(), server), x509.ExtKeyUsageServerAuth, []string{"chain"}},
		"expired":                             {sign(p.Authority(), with(func(c *x509.Certificate) { c.NotAfter = epoch.Add(-time.Minute) })), x509.ExtKeyUsageServerAuth, []string{"expiry"}},
		"not yet valid":                       {sign(p.Authority(), with(func(c *x509.Certificate) { c.NotBefore = epoch.Add(time.Minute) })), x509.ExtKeyUsageServerAuth, []string{"expiry"}},
		"a client's, to serve with":           {sign(p.Authority(), with(func(c *x509.Certificate) { c.ExtKeyUsage = clientAuth })), x509.ExtKeyUsageServerAuth, []string{"usage"}},
		"a server's, to call with":            {good, x509.ExtKeyUsageClientAuth, []string{"usage"}},
		"for nothing":                         {sign(p.Authority(), with(func(c *x509.Certificate) { c.ExtKeyUsage = nil })), x509.ExtKeyUsageAny, []string{"usage"}},
		"by another name":                     {sign(p.Authority(), with(func(c *x509.Certificate) { c.DNSNames = []string{"other.example"} })), x509.ExtKeyUsageServerAuth, []string{"name"}},
		"outside its authority's constraints": {constrained(), x509.ExtKeyUsageServerAuth, []string{"chain"}},
		"with a huge chain":                   {slices.Concat(good, slices.Repeat(good, maxShown)), x509.ExtKeyUsageServerAuth, []string{"chain"}},
	} {
		t.Run(name, func(t *testing.T) {
			j := Judge(test.chain, Question{Authorities: map[string][]*x509.Certificate{"ca": p.Authority().Trusted()}, Usage: test.usage, Name: "localhost", Now: epoch})
			var wrong []string
			for _, f := range j.Findings {
				if !f.Good {
					wrong = append(wrong, f.Check)
				}
			}
			if diff := cmp.Diff(test.wrong, wrong); diff != "" || j.Good() != (len(test.wrong) == 0) {
				t.Errorf("what is wrong (-want +got):\n%s\n%+v", diff, j.Findings)
			}
		})
	}
}

func FuzzKubeconfig(f *testing.F) {
	f.Add([]byte("apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts:\n- name: a\n  context: {user: a, cluster: a}\nusers:\n- name: a\nclusters:\n- name: a\n"))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseKubeconfig("a.conf", data)
		if err != nil {
			return
		}
		c.user.ClientCertificate, c.user.ClientKey, c.user.TokenFile, c.cluster.CertificateAuthority = "", "", "", "" // nobody's files
		if j, chain, err := c.judge(Question{}); err == nil && len(chain) == 0 && len(j.Findings) < 2 {
			t.Errorf("too little is said of it: %+v", j.Findings)
		}
	})
}
