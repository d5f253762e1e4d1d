package authn

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/authentication/user"
)

// says is an authenticator that always gives the same answer.
type says struct {
	name   string
	answer Answer
}

func (s says) Name() string                                      { return s.name }
func (s says) Authenticate(context.Context, *Credentials) Answer { return s.answer }

func accepts(name, who string, groups ...string) says {
	return says{name, Answer{Verdict: Accepted, User: &user.DefaultInfo{Name: who, Groups: groups}}}
}

func refuses(name, why string) says {
	return says{name, Answer{Verdict: Refused, Why: errors.New(why)}}
}

func passes(name string) says { return says{name: name} }

func withToken(token string) *Credentials {
	return &Credentials{Header: http.Header{"Authorization": {"Bearer " + token}}, Path: "/api"}
}

func TestChain_DecidesAsKubernetes(t *testing.T) {
	type outcome struct {
		User   string
		Groups []string
		Err    string
		Asked  []string // as name=verdict
	}
	for name, test := range map[string]struct {
		strategies Strategies
		creds      *Credentials
		want       outcome
	}{
		"nothing brought, anonymous allowed": {
			Strategies{Requests: []Authenticator{passes("x509")}, Anonymous: NewAnonymous()}, &Credentials{},
			outcome{"system:anonymous", []string{"system:unauthenticated"}, "", []string{"x509=passed", "anonymous=accepted"}},
		},
		"nothing brought, nobody anonymous": {
			Strategies{Requests: []Authenticator{passes("x509")}}, &Credentials{},
			outcome{Asked: []string{"x509=passed"}},
		},
		"the first that accepts decides": {
			Strategies{Requests: []Authenticator{passes("a"), accepts("b", "bob"), accepts("c", "carol")}}, &Credentials{},
			outcome{"bob", []string{"system:authenticated"}, "", []string{"a=passed", "b=accepted"}},
		},
		"a bad certificate beside a good token": {
			Strategies{Requests: []Authenticator{refuses("x509", "bad certificate")}, Tokens: []Authenticator{accepts("tokenfile", "bob", "dev")}, Anonymous: NewAnonymous()}, withToken("t"),
			outcome{"bob", []string{"dev", "system:authenticated"}, "", []string{"x509=refused", "tokenfile=accepted"}},
		},
		"a bad certificate alone is not anonymous": {
			Strategies{Requests: []Authenticator{refuses("x509", "bad certificate")}, Anonymous: NewAnonymous()}, &Credentials{},
			outcome{Err: "bad certificate", Asked: []string{"x509=refused", "anonymous=passed"}},
		},
		"a token that nobody knows is not anonymous": {
			Strategies{Tokens: []Authenticator{passes("tokenfile"), passes("serviceaccount")}, Anonymous: NewAnonymous()}, withToken("t"),
			outcome{Err: "invalid bearer token", Asked: []string{"tokenfile=passed", "serviceaccount=passed", "anonymous=passed"}},
		},
		"a token that somebody refuses, in Kubernetes' words": {
			Strategies{Tokens: []Authenticator{passes("tokenfile"), says{"serviceaccount", refuse("service account token has expired", errors.New("the token expired 3 minutes ago"))}}}, withToken("t"),
			outcome{Err: "[invalid bearer token, service account token has expired]", Asked: []string{"tokenfile=passed", "serviceaccount=refused"}},
		},
		"one refuses and a later one accepts": {
			Strategies{Tokens: []Authenticator{refuses("serviceaccount", "not mine after all"), accepts("webhook", "bob")}}, withToken("t"),
			outcome{"bob", []string{"system:authenticated"}, "", []string{"serviceaccount=refused", "webhook=accepted"}},
		},
		"without a token the strategies for tokens are not asked": {
			Strategies{Tokens: []Authenticator{accepts("webhook", "bob")}, Anonymous: NewAnonymous()}, &Credentials{},
			outcome{"system:anonymous", []string{"system:unauthenticated"}, "", []string{"webhook=passed", "anonymous=accepted"}},
		},
		"who is authenticated already is not so twice": {
			Strategies{Requests: []Authenticator{accepts("x", "bob", "system:authenticated")}}, &Credentials{},
			outcome{"bob", []string{"system:authenticated"}, "", []string{"x=accepted"}},
		},
		"a webhook's anonymous stays anonymous": {
			Strategies{Requests: []Authenticator{accepts("x", "system:anonymous", "system:unauthenticated")}}, &Credentials{},
			outcome{"system:anonymous", []string{"system:unauthenticated"}, "", []string{"x=accepted"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := NewChain(test.strategies).Authenticate(t.Context(), test.creds)
			var got outcome
			if r.User != nil {
				got.User, got.Groups = r.User.GetName(), r.User.GetGroups()
			}
			if err := r.Error(); err != nil {
				got.Err = err.Error()
			}
			for _, a := range r.Asked {
				got.Asked = append(got.Asked, a.Authenticator+"="+a.Verdict.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	}
}

func TestChain_DoesNotChangeAStrategysUser(t *testing.T) {
	groups := append(make([]string, 0, 10), "dev")
	shared := &user.DefaultInfo{Name: "bob", Groups: groups}
	chain := NewChain(Strategies{Requests: []Authenticator{says{"x", Answer{Verdict: Accepted, User: shared}}}})
	r := chain.Authenticate(t.Context(), &Credentials{})
	if len(shared.Groups) != 1 || groups[:2][1] != "" || len(r.User.GetGroups()) != 2 {
		t.Errorf("the strategy's groups became %v, and behind them %q", shared.Groups, groups[:2][1])
	}
}

func TestReview_Audiences(t *testing.T) {
	agnostic := accepts("tokenfile", "bob")
	aware := says{"serviceaccount", Answer{Verdict: Accepted, User: &user.DefaultInfo{Name: "sa"}, Audiences: []string{"foo"}}}
	for name, test := range map[string]struct {
		token     Authenticator
		audiences []string
		want      []string
		ok        bool
	}{
		"none asked for means the API server's": {agnostic, nil, []string{"api", "api2"}, true},
		"one of the API server's":               {agnostic, []string{"other", "api2"}, []string{"api2"}, true},
		"another":                               {agnostic, []string{"other"}, nil, false},
		"a token that names its audience":       {aware, []string{"foo", "bar"}, []string{"foo"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			chain := NewChain(Strategies{Audiences: []string{"api", "api2"}, Tokens: []Authenticator{test.token}, Anonymous: NewAnonymous()})
			r := chain.Review(t.Context(), withToken("t"), test.audiences)
			if (r.User != nil) != test.ok {
				t.Fatalf("user %v, want one: %t", r.User, test.ok)
			}
			if !test.ok {
				if r.Error().Error() != "invalid bearer token" {
					t.Errorf("error is %q", r.Error())
				}
				return
			}
			if diff := cmp.Diff(test.want, r.Audiences); diff != "" {
				t.Errorf("audiences (-want +got):\n%s", diff)
			}
		})
	}
}

func TestChain_Switch(t *testing.T) {
	chain := NewChain(Strategies{Requests: []Authenticator{accepts("x509", "alice")}, Tokens: []Authenticator{accepts("tokenfile", "bob")}})
	ask := func() string {
		if r := chain.Authenticate(t.Context(), withToken("t")); r.User != nil {
			return r.User.GetName()
		}
		return ""
	}
	if got := ask(); got != "alice" {
		t.Errorf("at first: %q", got)
	}
	if err := chain.Switch("x509", false); err != nil {
		t.Fatal(err)
	}
	if got := ask(); got != "bob" {
		t.Errorf("with x509 off: %q", got)
	}
	if diff := cmp.Diff([]Switch{{"x509", false}, {"tokenfile", true}}, chain.List()); diff != "" {
		t.Error(diff)
	}
	if err := chain.Replace(accepts("tokenfile", "carol")); err != nil {
		t.Fatal(err)
	}
	if got := ask(); got != "carol" {
		t.Errorf("with another tokenfile: %q", got)
	}
	if err := chain.Switch("x509", true); err != nil {
		t.Fatal(err)
	}
	if got := ask(); got != "alice" {
		t.Errorf("with x509 on again: %q", got)
	}
	if err := chain.Switch("ldap", false); err == nil || err.Error() != `there is no authenticator "ldap"; there are x509, tokenfile` {
		t.Errorf("an unknown name: %v", err)
	}
}

func TestAnonymous_LimitedToPaths(t *testing.T) {
	chain := NewChain(Strategies{Anonymous: NewAnonymous("/livez", "/readyz")})
	for path, want := range map[string]bool{"/livez": true, "/readyz": true, "/livez/etcd": false, "/api": false, "/livez/../api": false, "": false} {
		r := chain.Authenticate(t.Context(), &Credentials{Path: path})
		if got := r.User != nil; got != want {
			t.Errorf("%q: anonymous %t, want %t", path, got, want)
		}
	}
}
