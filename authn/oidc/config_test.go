package oidc

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/apis/apiserver"
)

func TestFlags_Configuration(t *testing.T) {
	for name, test := range map[string]struct {
		flags  Flags
		prefix string
		claim  string
	}{
		"the subject, and whose":           {Flags{}, "https://idp.example#", "sub"},
		"another claim, and whose":         {Flags{UsernameClaim: "name"}, "https://idp.example#", "name"},
		"an address is unique by itself":   {Flags{UsernameClaim: "email"}, "", "email"},
		"a prefix":                         {Flags{UsernamePrefix: "idp:"}, "idp:", "sub"},
		"no prefix":                        {Flags{UsernamePrefix: "-"}, "", "sub"},
		"a prefix of an address":           {Flags{UsernameClaim: "email", UsernamePrefix: "x:"}, "x:", "email"},
		"no prefix of an address, in dash": {Flags{UsernameClaim: "email", UsernamePrefix: "-"}, "", "email"},
	} {
		test.flags.IssuerURL, test.flags.ClientID = idpURL, "kubernetes"
		config, err := test.flags.Configuration()
		if err != nil {
			t.Fatal(err)
		}
		got := config.JWT[0].ClaimMappings.Username
		if *got.Prefix != test.prefix || got.Claim != test.claim {
			t.Errorf("%s: prefix %q, claim %q; want %q, %q", name, *got.Prefix, got.Claim, test.prefix, test.claim)
		}
		if _, err := Compile(config, Options{}, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	config, err := Flags{IssuerURL: idpURL, ClientID: "c", GroupsClaim: "g", GroupsPrefix: "p", RequiredClaims: map[string]string{"b": "2", "a": "1"}}.Configuration()
	if err != nil {
		t.Fatal(err)
	}
	want := []apiserver.ClaimValidationRule{{Claim: "a", RequiredValue: "1"}, {Claim: "b", RequiredValue: "2"}}
	if diff := cmp.Diff(want, config.JWT[0].ClaimValidationRules); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if _, err := (Flags{IssuerURL: idpURL}).Configuration(); err == nil {
		t.Error("an issuer without a client id was taken")
	}
}

func TestParseConfiguration(t *testing.T) {
	config, err := ParseConfiguration([]byte("apiVersion: apiserver.config.k8s.io/v1beta1\nkind: AuthenticationConfiguration\nanonymous: {enabled: true, conditions: [{path: /livez}]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := &apiserver.AnonymousAuthConfig{Enabled: true, Conditions: []apiserver.AnonymousAuthCondition{{Path: "/livez"}}}
	if diff := cmp.Diff(want, config.Anonymous); diff != "" {
		t.Errorf("anonymous (-want +got):\n%s", diff)
	}
	for name, test := range map[string]struct{ data, want string }{
		"empty":            {"", "empty config data"},
		"another kind":     {"apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\n", "expected AuthenticationConfiguration, got *apiserver.AuthorizationConfiguration"},
		"an unknown field": {"apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njtw: []\n", `strict decoding error: unknown field "jtw"`},
		"no kind":          {"{}", "Object 'Kind' is missing"},
	} {
		if _, err := ParseConfiguration([]byte(test.data)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

func TestCompile_SaysWhatIsWrong(t *testing.T) {
	issuer := func(url, rest string) *apiserver.AuthenticationConfiguration {
		config, err := ParseConfiguration([]byte("apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt:\n- issuer: {url: '" + url + "', audiences: [a]}\n" + rest))
		if err != nil {
			t.Fatal(err)
		}
		return config
	}
	const plain = "  claimMappings: {username: {claim: sub, prefix: ''}}\n"
	broken := issuer(idpURL, plain)
	broken.JWT[0].Issuer.CertificateAuthority = "what?"
	for name, test := range map[string]struct {
		config *apiserver.AuthenticationConfiguration
		want   string
	}{
		"over HTTP":               {issuer("http://idp.example", plain), `jwt[0].issuer.url: Invalid value: "http://idp.example": URL scheme must be https`},
		"the cluster's own":       {issuer("https://kubernetes.default.svc", plain), `jwt[0].issuer.url: Invalid value: "https://kubernetes.default.svc": URL must not overlap with disallowed issuers: [https://kubernetes.default.svc]`},
		"no user name":            {issuer(idpURL, "  claimMappings: {}\n"), "jwt[0].claimMappings.username: Required value: claim or expression is required"},
		"an expression of no use": {issuer(idpURL, "  claimMappings: {username: {expression: 'claims.'}}\n"), "jwt[0].claimMappings.username.expression: Invalid value"},
		"a broken authority":      {broken, "jwt[0].issuer.certificateAuthority: Invalid value"},
	} {
		_, err := Compile(test.config, Options{ServiceAccountIssuers: []string{"https://kubernetes.default.svc"}}, nil)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

// What Compile takes can be asked about any token: configurations come from a file that anybody may have written.
func FuzzParseConfiguration(f *testing.F) {
	const head = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n"
	for _, body := range []string{
		"jwt: []\n",
		"anonymous: {enabled: true, conditions: [{path: /healthz}]}\n",
		"jwt:\n- issuer: {url: 'https://idp.example', audiences: [a]}\n  claimMappings: {username: {claim: sub, prefix: ''}}\n",
		"jwt:\n- issuer: {url: 'https://idp.example', audiences: [a]}\n  claimMappings: {username: {expression: claims.sub}}\n  userValidationRules: [{expression: \"!user.username.startsWith('system:')\"}]\n",
		"jwt: &a [*a]\n",
	} {
		f.Add([]byte(head + body))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		config, err := ParseConfiguration(data)
		if err != nil {
			return
		}
		issuers, err := Compile(config, Options{}, nil)
		if err == nil && issuers == nil {
			t.Error("neither issuers nor an error")
		}
	})
}
