package authn

import (
	"context"
	"crypto/x509"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"k8s.io/apiserver/pkg/authentication/user"
)

// RequestHeaderOptions are kube-apiserver's --requestheader-* flags.
type RequestHeaderOptions struct {
	// Roots gives the authorities of authenticating proxies; see NewX509. They must sign nobody else's
	// certificates: who holds one can be anybody.
	Roots func() *x509.CertPool
	// AllowedNames are the common names that a proxy's certificate may have. Empty: any.
	AllowedNames []string
	// The headers, in the order in which they are looked at. The first user and UID count; all groups do.
	UserHeaders, UIDHeaders, GroupHeaders []string
	// ExtraPrefixes begin the names of headers that hold extra fields, as X-Remote-Extra- does.
	ExtraPrefixes []string
	Now           func() time.Time
}

// RequestHeader believes an authenticating proxy what it says in headers about who is asking. The proxy proves itself by a
// client certificate of an authority of its own. From anybody else the headers are ignored, and taken away.
type RequestHeader struct {
	RequestHeaderOptions
	clients *clients
}

const (
	whyNoProxyHeader reason = "no header of an authenticating proxy names a user"
	whyNoProxy       reason = "a header names a user, but whoever sent it did not present an authenticating proxy's certificate"
	whyNoProxyRoots  reason = "no authority for authenticating proxies is configured"
)

// NewRequestHeader returns the strategy. An error names the empty header.
func NewRequestHeader(o RequestHeaderOptions) (*RequestHeader, error) {
	for _, names := range []*[]string{&o.UserHeaders, &o.UIDHeaders, &o.GroupHeaders, &o.ExtraPrefixes} {
		trimmed := make([]string, len(*names))
		for i, n := range *names {
			if trimmed[i] = strings.TrimSpace(n); trimmed[i] == "" {
				return nil, fmt.Errorf("empty header %q", n)
			}
		}
		*names = trimmed
	}
	return &RequestHeader{o, newClients(o.Roots, o.Now)}, nil
}

// Name is `requestheader`.
func (*RequestHeader) Name() string { return "requestheader" }

// Authenticate accepts what a proxy says, refuses what somebody else says, and passes on requests without such headers.
func (h *RequestHeader) Authenticate(_ context.Context, c *Credentials) Answer {
	name := first(c.Header, h.UserHeaders)
	if name == "" {
		return Answer{Why: whyNoProxyHeader}
	}
	if len(c.Certificates) == 0 {
		return Answer{Why: whyNoProxy}
	}
	leaf := c.Certificates[0]
	v, err := h.clients.verify(c.Certificates)
	if err != nil {
		return refuse(err.Error(), explainCertificate(leaf, h.Now(), err))
	}
	if v == nil {
		return Answer{Why: whyNoProxyRoots}
	}
	if len(h.AllowedNames) > 0 && !slices.Contains(h.AllowedNames, leaf.Subject.CommonName) {
		return refuse(fmt.Sprintf("x509: subject with cn=%s is not in the allowed list", leaf.Subject.CommonName),
			fmt.Errorf("the certificate of %q is good, but only %q may speak for others", leaf.Subject.CommonName, h.AllowedNames))
	}
	return Answer{Verdict: Accepted, User: &user.DefaultInfo{
		Name:   name,
		UID:    first(c.Header, h.UIDHeaders),
		Groups: all(c.Header, h.GroupHeaders),
		Extra:  extra(c.Header, h.ExtraPrefixes),
	}}
}

// headers are what the chain takes away, whoever sent it.
func (h *RequestHeader) headers() (names, prefixes []string) {
	return slices.Concat(h.UserHeaders, h.UIDHeaders, h.GroupHeaders), h.ExtraPrefixes
}

func first(h http.Header, names []string) string {
	for _, n := range names {
		if v := h.Get(n); v != "" {
			return v
		}
	}
	return ""
}

func all(h http.Header, names []string) []string {
	values := []string{}
	for _, n := range names {
		for _, v := range h.Values(n) {
			if v != "" {
				values = append(values, v)
			}
		}
	}
	return values
}

// extra collects the extra fields. A field's name is what follows the prefix, in lower case, with %-escapes undone where they are good.
func extra(h http.Header, prefixes []string) map[string][]string {
	fields := map[string][]string{}
	for _, prefix := range prefixes {
		for _, key := range slices.Sorted(maps.Keys(h)) {
			if len(key) < len(prefix) || !strings.EqualFold(key[:len(prefix)], prefix) {
				continue
			}
			name := strings.ToLower(key[len(prefix):])
			if unescaped, err := url.PathUnescape(name); err == nil {
				name = unescaped
			}
			fields[name] = append(fields[name], h[key]...)
		}
	}
	return fields
}
