package oidc

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/authn"
)

// file is an AuthenticationConfiguration with one issuer, of which the rest is given in YAML.
func file(t testing.TB, rest string) *apiserver.AuthenticationConfiguration {
	t.Helper()
	config, err := ParseConfiguration([]byte(`
apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
jwt:
- issuer:
    url: https://idp.example
    audiences: [kubernetes, other]
    audienceMatchPolicy: MatchAny
` + rest))
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func TestAuthenticate_FromClaimsToUser(t *testing.T) {
	const plain = "  claimMappings: {username: {claim: sub, prefix: ''}}\n"
	for name, test := range map[string]struct {
		config string
		said   said
		want   *user.DefaultInfo
		says   string // the refusal
	}{
		"a claim": {config: plain, want: &user.DefaultInfo{Name: "alice"}},
		"a claim with a prefix": {config: "  claimMappings: {username: {claim: sub, prefix: 'idp:'}}\n",
			want: &user.DefaultInfo{Name: "idp:alice"}},
		"the token's id": {config: plain, said: said{"jti": "7"},
			want: &user.DefaultInfo{Name: "alice", Extra: map[string][]string{"authentication.kubernetes.io/credential-id": {"JTI=7"}}}},
		"an address that is verified": {config: "  claimMappings: {username: {claim: email, prefix: ''}}\n", said: said{"email": "a@example.com", "email_verified": true},
			want: &user.DefaultInfo{Name: "a@example.com"}},
		"an address of which nothing is said": {config: "  claimMappings: {username: {claim: email, prefix: ''}}\n", said: said{"email": "a@example.com"},
			want: &user.DefaultInfo{Name: "a@example.com"}},
		"an address that is not verified": {config: "  claimMappings: {username: {claim: email, prefix: ''}}\n", said: said{"email": "a@example.com", "email_verified": false},
			says: "oidc: email not verified"},
		"an address that is verified in a string": {config: "  claimMappings: {username: {claim: email, prefix: ''}}\n", said: said{"email": "a@example.com", "email_verified": "true"},
			says: "oidc: parse 'email_verified' claim: json: cannot unmarshal string into Go value of type bool"},
		"groups": {config: "  claimMappings: {username: {claim: sub, prefix: ''}, groups: {claim: roles, prefix: 'idp:'}}\n", said: said{"roles": []string{"dev", "system:masters"}},
			want: &user.DefaultInfo{Name: "alice", Groups: []string{"idp:dev", "idp:system:masters"}}},
		"one group": {config: "  claimMappings: {username: {claim: sub, prefix: ''}, groups: {claim: roles, prefix: ''}}\n", said: said{"roles": "dev"},
			want: &user.DefaultInfo{Name: "alice", Groups: []string{"dev"}}},
		"groups that are numbers": {config: "  claimMappings: {username: {claim: sub, prefix: ''}, groups: {claim: roles, prefix: ''}}\n", said: said{"roles": []int{1}},
			says: `oidc: parse groups claim "roles": json: cannot unmarshal array into Go value of type string`},
		"a uid": {config: "  claimMappings: {username: {claim: sub, prefix: ''}, uid: {claim: oid}}\n", said: said{"oid": "1-2"},
			want: &user.DefaultInfo{Name: "alice", UID: "1-2"}},
		"a uid that is missing": {config: "  claimMappings: {username: {claim: sub, prefix: ''}, uid: {claim: oid}}\n",
			says: `oidc: parse uid claim "oid": claim not present`},
		"another audience": {config: plain, said: said{"aud": []string{"x"}},
			says: `oidc: verify token: oidc: expected audience in ["kubernetes" "other"] got ["x"]`},

		"expressions": {config: `  claimMappings:
    username: {expression: "claims.sub + '@' + claims.org.name"}
    groups: {expression: "dyn(claims.roles).map(r, 'org:' + r)"}
    uid: {expression: "string(claims.number)"}
    extra:
    - {key: example.com/org, valueExpression: claims.org.name}
    - {key: example.com/none, valueExpression: "''"}
`, said: said{"org": map[string]any{"name": "acme"}, "roles": []string{"dev", "ops"}, "number": 7},
			want: &user.DefaultInfo{Name: "alice@acme", UID: "7", Groups: []string{"org:dev", "org:ops"}, Extra: map[string][]string{"example.com/org": {"acme"}}}},
		"a name that is no identifier": {config: "  claimMappings: {username: {expression: 'claims.sub'}, groups: {expression: 'claims.realm__dot__access.roles__dot__all'}}\n",
			said: said{"realm.access": map[string]any{"roles.all": []string{"dev", ""}}}, want: &user.DefaultInfo{Name: "alice", Groups: []string{"dev"}}},
		"groups that are not there": {config: "  claimMappings: {username: {expression: 'claims.sub'}, groups: {expression: 'claims.?roles.orValue([])'}}\n",
			want: &user.DefaultInfo{Name: "alice"}},
		"an expression without its claim": {config: "  claimMappings: {username: {expression: 'claims.nickname'}}\n",
			says: "oidc: error evaluating username claim expression: expression 'claims.nickname' resulted in error: no such key: nickname"},
		"an empty name": {config: "  claimMappings: {username: {expression: 'claims.nickname'}}\n", said: said{"nickname": ""},
			says: "oidc: empty username via CEL expression is not allowed"},
		"a name that is a number": {config: "  claimMappings: {username: {expression: 'claims.number'}}\n", said: said{"number": 7},
			says: "oidc: error evaluating username claim expression: username claim expression must return a string"},
		"groups that are a map": {config: "  claimMappings: {username: {expression: 'claims.sub'}, groups: {expression: 'claims.roles'}}\n", said: said{"roles": map[string]string{"a": "b"}},
			says: "oidc: error evaluating group claim expression: expression must return a string or a list of strings"},

		"a required claim": {config: "  claimValidationRules: [{claim: hd, requiredValue: example.com}]\n" + plain, said: said{"hd": "example.com"},
			want: &user.DefaultInfo{Name: "alice"}},
		"a required claim that is missing": {config: "  claimValidationRules: [{claim: hd, requiredValue: example.com}]\n" + plain,
			says: "oidc: required claim hd not present in ID token"},
		"a required claim that is another": {config: "  claimValidationRules: [{claim: hd, requiredValue: example.com}]\n" + plain, said: said{"hd": "example.org"},
			says: "oidc: required claim hd value does not match. Got = example.org, want = example.com"},
		"a rule for claims": {config: "  claimValidationRules: [{expression: 'claims.exp - claims.iat <= 7200', message: too long}]\n" + plain,
			want: &user.DefaultInfo{Name: "alice"}},
		"a rule for claims that does not hold": {config: "  claimValidationRules: [{expression: 'claims.exp - claims.iat <= 60', message: too long}]\n" + plain,
			says: "oidc: error evaluating claim validation expression: validation expression 'claims.exp - claims.iat <= 60' failed: too long"},
		"a rule for users": {config: plain + "  userValidationRules: [{expression: \"!user.username.startsWith('system:')\", message: reserved}]\n",
			want: &user.DefaultInfo{Name: "alice"}},
		"a rule for users that does not hold": {config: plain + "  userValidationRules: [{expression: \"!user.username.startsWith('system:')\", message: reserved}]\n", said: said{"sub": "system:admin"},
			says: "oidc: error evaluating user info validation rule: validation expression '!user.username.startsWith('system:')' failed: reserved"},
		"a rule for users' groups": {config: "  claimMappings: {username: {claim: sub, prefix: ''}, groups: {claim: roles, prefix: ''}}\n  userValidationRules: [{expression: \"user.groups.all(g, !g.startsWith('system:'))\", message: reserved}]\n", said: said{"roles": []string{"dev", "system:masters"}},
			says: "oidc: error evaluating user info validation rule: validation expression 'user.groups.all(g, !g.startsWith('system:'))' failed: reserved"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newIDP(t, "one")
			u := newUnder(t, p, file(t, test.config))
			for range 2 { // the second time from memory
				got := u.ask(p.token(t, "one", test.said))
				if test.want == nil {
					_, says := why(got)
					if diff := cmp.Diff(test.says, says); diff != "" || got.Verdict != authn.Refused {
						t.Errorf("%s (-want +got):\n%s", got.Verdict, diff)
					}
					continue
				}
				if diff := cmp.Diff(user.Info(test.want), got.User); diff != "" {
					t.Errorf("user, %v (-want +got):\n%s", got.Why, diff)
				}
			}
		})
	}
}

func TestAuthenticate_MemoryEndsWithTheToken(t *testing.T) {
	p := newIDP(t, "one")
	u := newUnder(t, p, basic())
	raw := p.token(t, "one", nil)
	for _, step := range []struct {
		after time.Duration
		want  authn.Verdict
	}{{0, authn.Accepted}, {59 * time.Minute, authn.Accepted}, {time.Hour + time.Second, authn.Refused}} {
		u.now = noon.Add(step.after)
		if a := u.ask(raw); a.Verdict != step.want {
			t.Errorf("after %s: %s, want %s", step.after, a.Verdict, step.want)
		}
	}
}

func TestReplace_TakesEffectAtOnce(t *testing.T) {
	p := newIDP(t, "one")
	u := newUnder(t, p, file(t, "  claimMappings: {username: {claim: sub, prefix: ''}}\n"))
	raw := p.token(t, "one", nil)
	if a := u.ask(raw); a.User.GetName() != "alice" {
		t.Fatal(a.Why)
	}
	u.Replace(u.compile(file(t, "  claimMappings: {username: {claim: sub, prefix: 'idp:'}}\n"), u.Issuers()))
	if a := u.ask(raw); a.User.GetName() != "idp:alice" {
		t.Errorf("after a change of the prefix: %v", a.User)
	}
	if n := p.asked(idpURL + "/keys"); n != 1 {
		t.Errorf("the keys were fetched %d times, though only the mapping changed", n)
	}
	u.Replace(u.compile(&apiserver.AuthenticationConfiguration{}, u.Issuers()))
	if a := u.ask(raw); a.Verdict != authn.Passed {
		t.Errorf("after the issuer was removed: %s", a.Verdict)
	}
}

func TestAuthenticate_DistributedClaims(t *testing.T) {
	const endpoint = "https://graph.example/groups"
	flags := Flags{IssuerURL: idpURL, ClientID: "kubernetes", UsernamePrefix: "-", GroupsClaim: "groups", GroupsPrefix: "g:"}
	elsewhere := said{"_claim_names": map[string]string{"groups": "s1"}, "_claim_sources": map[string]any{"s1": map[string]string{"endpoint": endpoint, "access_token": "tok"}}}
	for name, test := range map[string]struct {
		said   said
		answer func(t *testing.T, p *idp) string
		want   []string
		says   string
	}{
		"in another token": {said: elsewhere, answer: func(t *testing.T, p *idp) string { return p.token(t, "one", said{"groups": []string{"a", "b"}}) }, want: []string{"g:a", "g:b"}},
		"in this token after all": {said: said{"groups": []string{"c"}, "_claim_names": elsewhere["_claim_names"], "_claim_sources": elsewhere["_claim_sources"]},
			want: []string{"g:c"}},
		"in a token of a stranger": {said: elsewhere, answer: func(t *testing.T, p *idp) string {
			return newTokenOfStranger(t)
		}, says: "oidc: could not expand distributed claims: verify distributed claim token: failed to verify"},
		"in a token for others": {said: elsewhere, answer: func(t *testing.T, p *idp) string {
			return p.token(t, "one", said{"aud": "others", "groups": []string{"a"}})
		}, says: `oidc: could not expand distributed claims: verify distributed claim token: oidc: expected audience "kubernetes" got ["others"]`},
		"in a token without":   {said: elsewhere, answer: func(t *testing.T, p *idp) string { return p.token(t, "one", nil) }, says: `oidc: could not expand distributed claims: jwt returned by distributed claim endpoint "https://graph.example/groups" did not contain claim: groups`},
		"in nothing":           {said: elsewhere, says: `oidc: could not expand distributed claims: while getting distributed claim "groups": https://graph.example/groups answered 404 Not Found`},
		"at an address inside": {said: said{"_claim_names": elsewhere["_claim_names"], "_claim_sources": map[string]any{"s1": map[string]string{"endpoint": "http://169.254.169.254/"}}}, says: `oidc: could not expand distributed claims: while getting distributed claim "groups": the endpoint "http://169.254.169.254/" is no https URL`},
		"from no source":       {said: said{"_claim_names": elsewhere["_claim_names"]}, says: "oidc: could not expand distributed claims: oidc: no claim sources"},
		"of another claim":     {said: said{"_claim_names": map[string]string{"roles": "s1"}, "_claim_sources": elsewhere["_claim_sources"]}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newIDP(t, "one")
			config, err := flags.Configuration()
			if err != nil {
				t.Fatal(err)
			}
			u := newUnder(t, p, config)
			if test.answer != nil {
				p.pages[endpoint] = test.answer(t, p)
			}
			raw := p.token(t, "one", test.said)
			got := u.ask(raw)
			if test.says != "" {
				if _, says := why(got); got.Verdict != authn.Refused || !strings.HasPrefix(says, test.says) {
					t.Errorf("%s: %s, want %s", got.Verdict, says, test.says)
				}
				return
			}
			if got.Verdict != authn.Accepted {
				t.Fatal(got.Why)
			}
			if diff := cmp.Diff(test.want, got.User.GetGroups()); diff != "" {
				t.Errorf("groups (-want +got):\n%s", diff)
			}
			if test.answer == nil {
				return
			}
			u.now = u.now.Add(distributedTTL - time.Second)
			u.ask(raw)
			if n := p.asked(endpoint); n != 1 {
				t.Errorf("the endpoint was asked %d times within %s, want once", n, distributedTTL)
			}
			u.now = u.now.Add(time.Second)
			u.ask(raw)
			if n := p.asked(endpoint); n != 2 {
				t.Errorf("the endpoint was asked %d times after %s, want twice", n, distributedTTL)
			}
			if p.auth != "Bearer tok" {
				t.Errorf("the endpoint was shown %q", p.auth)
			}
		})
	}
}

func newTokenOfStranger(t *testing.T) string {
	return newIDP(t, "one").token(t, "one", said{"groups": []string{"system:masters"}})
}
