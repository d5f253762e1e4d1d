package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Finding is one thing that was looked at in a certificate, and whether it is as it should be.
type Finding struct {
	Check string `json:"check"` // chain, usage, name, expiry; of a kubeconfig also key, server and user
	Good  bool   `json:"good"`
	// Unknown says that it cannot be judged by looking.
	Unknown bool   `json:"unknown,omitempty"`
	Says    string `json:"says"`
}

// Judgement is what somebody who is shown a chain of certificates would find.
type Judgement struct {
	Subject  string    `json:"subject,omitempty"`
	Issuer   string    `json:"issuer,omitempty"`
	Serial   string    `json:"serial,omitempty"`
	Names    []string  `json:"names,omitempty"`
	Usages   []string  `json:"usages,omitempty"`
	Begins   time.Time `json:"notBefore,omitzero"`
	Ends     time.Time `json:"notAfter,omitzero"`
	Findings []Finding `json:"findings"`
}

// maxShown bounds how many certificates are looked at.
const maxShown = 10

// Question is what a chain is judged by.
type Question struct {
	Authorities map[string][]*x509.Certificate // those that are known, by name; none where that is not to be judged
	Usage       x509.ExtKeyUsage               // Any: whichever the certificate has
	Name        string                         // that it is to be for; "" for any
	Now         time.Time
}

// Judge judges a chain, of which the first certificate is the one that is presented.
func Judge(chain []*x509.Certificate, q Question) Judgement {
	leaf := chain[0]
	j := Judgement{
		Subject: leaf.Subject.String(), Issuer: leaf.Issuer.String(), Serial: leaf.SerialNumber.Text(16),
		Names: Names(leaf), Usages: Usages(leaf), Begins: leaf.NotBefore, Ends: leaf.NotAfter,
	}
	add := func(check string, good bool, format string, args ...any) {
		j.Findings = append(j.Findings, Finding{Check: check, Good: good, Says: fmt.Sprintf(format, args...)})
	}
	if len(q.Authorities) == 0 {
		j.Findings = append(j.Findings, Finding{Check: "chain", Unknown: true, Says: fmt.Sprintf("signed by %s, as it says; there is no cluster to hold that against", leaf.Issuer)})
	} else if by, err := q.chain(chain); err != nil {
		add("chain", false, "%v", err)
	} else {
		add("chain", true, "signed by %s", by)
	}
	switch usages := j.Usages; {
	case q.Usage == x509.ExtKeyUsageAny:
		add("usage", len(usages) > 0, "for %s", strings.Join(orNothing(usages), " and "))
	case slices.Contains(leaf.ExtKeyUsage, q.Usage) || slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny):
		add("usage", true, "for %s", strings.Join(usages, " and "))
	default:
		add("usage", false, "for %s, and not for what it is used for here", strings.Join(orNothing(usages), " and "))
	}
	if q.Name != "" {
		if err := leaf.VerifyHostname(q.Name); err != nil {
			add("name", false, "it is not for %s, but for %s", q.Name, strings.Join(orNothing(j.Names), ", "))
		} else {
			add("name", true, "it is for %s", q.Name)
		}
	}
	switch left := leaf.NotAfter.Sub(q.Now); {
	case left < 0:
		add("expiry", false, "it expired %s ago", roughly(-left))
	case q.Now.Before(leaf.NotBefore):
		add("expiry", false, "it is not valid for another %s", roughly(leaf.NotBefore.Sub(q.Now)))
	default:
		add("expiry", true, "it is good for another %s", roughly(left))
	}
	return j
}

// Good tells whether nothing is wrong.
func (j Judgement) Good() bool {
	return !slices.ContainsFunc(j.Findings, func(f Finding) bool { return !f.Good && !f.Unknown })
}

// chain finds the authority under which the chain verifies, at a time when its first certificate is in force, for
// whether it is now is said elsewhere.
func (q Question) chain(chain []*x509.Certificate) (string, error) {
	if len(chain) > maxShown {
		return "", fmt.Errorf("there are %d certificates, more than the %d that a server looks at", len(chain), maxShown)
	}
	leaf := chain[0]
	at := q.Now
	if at.After(leaf.NotAfter) {
		at = leaf.NotAfter
	}
	if at.Before(leaf.NotBefore) {
		at = leaf.NotBefore
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	fault := error(nil)
	for _, name := range sortedNames(q.Authorities) {
		pool := x509.NewCertPool()
		for _, c := range q.Authorities[name] {
			pool.AddCert(c)
		}
		_, err := leaf.Verify(x509.VerifyOptions{Roots: pool, Intermediates: between, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		if err == nil {
			return name, nil
		}
		over := x509.CertificateInvalidError{}
		if errors.As(err, &over) && over.Reason == x509.Expired && at != q.Now {
			// It never was in force together with the authority; who signed it can be told all the same.
			if slices.ContainsFunc(q.Authorities[name], func(c *x509.Certificate) bool { return leaf.CheckSignatureFrom(c) == nil }) {
				return name, nil
			}
		}
		if unknown := (x509.UnknownAuthorityError{}); fault == nil && !errors.As(err, &unknown) {
			fault = fmt.Errorf("it is not good under %s: %w", name, err)
		}
	}
	if fault != nil {
		return "", fault
	}
	for _, name := range sortedNames(q.Authorities) {
		for _, c := range q.Authorities[name] {
			if c.Subject.String() == leaf.Issuer.String() {
				return "", fmt.Errorf("its issuer calls itself %s, as %s does, and is another: the signature is not that authority's", leaf.Issuer, name)
			}
		}
	}
	return "", fmt.Errorf("%s, which signed it, is not an authority of this cluster", leaf.Issuer)
}

func sortedNames(m map[string][]*x509.Certificate) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func orNothing(list []string) []string {
	if len(list) == 0 {
		return []string{"nothing"}
	}
	return list
}

// roughly is a time in its largest unit or two.
func roughly(d time.Duration) string {
	if d >= 48*time.Hour {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return d.Round(time.Second).String()
}
