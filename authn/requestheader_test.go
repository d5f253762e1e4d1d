package authn

import (
	"crypto/x509"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/authentication/user"
)

func newProxy(t testing.TB, proxies *ca, allowed ...string) *RequestHeader {
	t.Helper()
	pool := proxies.pool()
	h, err := NewRequestHeader(RequestHeaderOptions{
		Roots: func() *x509.CertPool { return pool }, AllowedNames: allowed,
		UserHeaders: []string{"X-Remote-User", " X-Other-User "}, UIDHeaders: []string{"X-Remote-Uid"}, GroupHeaders: []string{"X-Remote-Group"}, ExtraPrefixes: []string{"X-Remote-Extra-", "x-more-"},
		Now: fixed(noon),
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestRequestHeader(t *testing.T) {
	proxies, clients := newCA(t, "front-proxy-ca", nil), newCA(t, "kubernetes", nil)
	proxy := []*x509.Certificate{proxies.client(t, "front-proxy-client")}
	alice := http.Header{"X-Remote-User": {"alice"}}
	all := http.Header{
		"X-Remote-User": {"alice", "mallory"}, "X-Other-User": {"bob"}, "X-Remote-Uid": {"7"}, "X-Remote-Group": {"dev", "", "ops"},
		"X-Remote-Extra-Scopes": {"a", "b"}, "X-Remote-Extra-Acme.com%2fproject": {"c"}, "X-Remote-Extra-Bad%zz": {"d"}, "X-More-Scopes": {"e"}, "X-Remote": {"f"},
	}
	for name, test := range map[string]struct {
		certs  []*x509.Certificate
		header http.Header
		user   user.Info
		want   Verdict
		why    string
	}{
		"no header":                     {certs: proxy, header: http.Header{}, want: Passed, why: "no header of an authenticating proxy names a user"},
		"an empty header":               {certs: proxy, header: http.Header{"X-Remote-User": {""}}, want: Passed, why: "no header of an authenticating proxy names a user"},
		"groups alone":                  {certs: proxy, header: http.Header{"X-Remote-Group": {"system:masters"}}, want: Passed, why: "no header of an authenticating proxy names a user"},
		"a user":                        {certs: proxy, header: alice, want: Accepted, user: &user.DefaultInfo{Name: "alice", Groups: []string{}, Extra: map[string][]string{}}},
		"by another header":             {certs: proxy, header: http.Header{"X-Other-User": {"bob"}}, want: Accepted, user: &user.DefaultInfo{Name: "bob", Groups: []string{}, Extra: map[string][]string{}}},
		"everything":                    {certs: proxy, header: all, want: Accepted, user: &user.DefaultInfo{Name: "alice", UID: "7", Groups: []string{"dev", "ops"}, Extra: map[string][]string{"scopes": {"a", "b", "e"}, "acme.com/project": {"c"}, "bad%zz": {"d"}}}},
		"without a certificate":         {header: alice, want: Passed, why: "a header names a user, but whoever sent it did not present an authenticating proxy's certificate"},
		"with a client's certificate":   {certs: []*x509.Certificate{clients.client(t, "front-proxy-client")}, header: alice, want: Refused, why: `the certificate of "front-proxy-client" was issued by "kubernetes", which is not a trusted authority, or only has its name`},
		"with another name":             {certs: []*x509.Certificate{proxies.client(t, "kubelet")}, header: alice, want: Refused, why: `the certificate of "kubelet" is good, but only ["front-proxy-client"] may speak for others`},
		"with a server's certificate":   {certs: []*x509.Certificate{proxies.client(t, "front-proxy-client", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })}, header: alice, want: Refused, why: `the certificate of "front-proxy-client" is for servers, not for clients (extended key usage)`},
		"with a name in another's case": {certs: []*x509.Certificate{proxies.client(t, "Front-Proxy-Client")}, header: alice, want: Refused, why: `the certificate of "Front-Proxy-Client" is good, but only ["front-proxy-client"] may speak for others`},
	} {
		t.Run(name, func(t *testing.T) {
			a := newProxy(t, proxies, "front-proxy-client").Authenticate(t.Context(), &Credentials{Certificates: test.certs, Header: test.header})
			why := ""
			if a.Why != nil {
				why = a.Why.Error()
			}
			if a.Verdict != test.want || why != test.why {
				t.Errorf("%s, %s; want %s, %s", a.Verdict, why, test.want, test.why)
			}
			if diff := cmp.Diff(test.user, a.User); diff != "" {
				t.Errorf("user (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRequestHeader_SmugglersStayThemselves(t *testing.T) {
	proxies, clients := newCA(t, "front-proxy-ca", nil), newCA(t, "kubernetes", nil)
	pool := clients.pool()
	chain := NewChain(Strategies{Requests: []Authenticator{newProxy(t, proxies, "front-proxy-client"), NewX509(func() *x509.CertPool { return pool }, fixed(noon))}, Anonymous: NewAnonymous()})
	smuggled := func() http.Header {
		h := http.Header{}
		for _, name := range []string{"X-Remote-User", "x-remote-user", "X-Other-User", "X-Remote-Group", "X-Remote-Extra-Scopes", "X-More-Scopes", "X-Remote-Uid"} {
			h.Add(name, "system:masters")
		}
		return h
	}
	for name, test := range map[string]struct {
		certs []*x509.Certificate
		want  string
	}{
		"with a certificate of their own": {[]*x509.Certificate{clients.client(t, "mallory")}, "mallory"},
		"without":                         {nil, "system:anonymous"},
	} {
		h := smuggled()
		r := chain.Authenticate(t.Context(), &Credentials{Certificates: test.certs, Header: h})
		if r.User == nil || r.User.GetName() != test.want {
			t.Errorf("%s: %v, want %s", name, r.User, test.want)
		}
		r.Scrub(h)
		if len(h) != 0 {
			t.Errorf("%s: these travel on: %v", name, h)
		}
	}
}

func TestNewRequestHeader_EmptyHeader(t *testing.T) {
	_, err := NewRequestHeader(RequestHeaderOptions{UserHeaders: []string{"X-Remote-User", " "}})
	if err == nil || err.Error() != `empty header " "` {
		t.Errorf("error %v", err)
	}
}

// However a name is spelt and escaped, it is a field of its own: nothing of it becomes the user, a group or a UID.
func FuzzExtra(f *testing.F) {
	f.Add("X-Remote-Extra-Scopes", "a")
	f.Add("X-Remote-Extra-%2e%2E%2f", "a")
	f.Add("x-remote-extra-", "")
	f.Add("X-Remote-Extra-%", "a")
	prefixes := []string{"X-Remote-Extra-"}
	f.Fuzz(func(t *testing.T, name, value string) {
		fields := extra(http.Header{name: {value}, "X-Remote-User": {"alice"}}, prefixes)
		if len(fields) > 1 {
			t.Errorf("one header gave %d fields", len(fields))
		}
		for field, values := range fields {
			if !strings.EqualFold(name[:len(prefixes[0])], prefixes[0]) || len(values) != 1 || values[0] != value {
				t.Errorf("%q: %q gave %q: %q", name, value, field, values)
			}
		}
	})
}
