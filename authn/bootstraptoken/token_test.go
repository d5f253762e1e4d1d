package bootstraptoken

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func TestParse(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		good bool
	}{
		"a token":                  {"07401b.f395accd246ae52d", true},
		"a long id":                {"07401bb.f395accd246ae52d", false},
		"a short secret":           {"07401b.f395accd246ae52", false},
		"upper case":               {"07401B.f395accd246ae52d", false},
		"a line feed at the end":   {"07401b.f395accd246ae52d\n", false},
		"no dot":                   {"07401bf395accd246ae52d", false},
		"two dots":                 {"07401b.f395accd246ae.2d", false},
		"another script's letters": {"07401b.f395accd246ae52é", false},
		"nothing":                  {"", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(test.text)
			if test.good && (err != nil || got.Value() != test.text) {
				t.Errorf("%s, %v", got.Value(), err)
			}
			if !test.good && (!errors.Is(err, ErrMalformed) || strings.Contains(err.Error(), "f395accd")) {
				t.Errorf("%v: want that it is malformed, and not what it was", err)
			}
		})
	}
}

func TestToken_IsNotPrinted(t *testing.T) {
	token := Token{"07401b", "f395accd246ae52d"}
	for _, format := range []string{"%s", "%v", "%+v", "%#v", "%q"} {
		if text := fmt.Sprintf(format, token); strings.Contains(text, token.Secret) {
			t.Errorf("%s shows %s", format, text)
		}
	}
}

func TestNew(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		token, err := New()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(token.Value()); err != nil || seen[token.ID] || seen[token.Secret] {
			t.Fatalf("%s: %v", token.Value(), err)
		}
		seen[token.ID], seen[token.Secret] = true, true
	}
}

func TestSpec(t *testing.T) {
	spec := Spec{
		Token: Token{"07401b", "f395accd246ae52d"}, Description: "for the lesson",
		Expires: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		Usages:  []string{"authentication", "signing"}, Groups: []string{"system:bootstrappers:a", "system:bootstrappers:b"},
	}
	t.Run("a Secret holds it as Kubernetes reads it", func(t *testing.T) {
		secret := spec.Secret()
		got := map[string]string{}
		for k, v := range secret.Data {
			got[k] = string(v)
		}
		want := map[string]string{
			"token-id": "07401b", "token-secret": "f395accd246ae52d", "description": "for the lesson", "expiration": "2026-03-01T12:00:00Z",
			"usage-bootstrap-authentication": "true", "usage-bootstrap-signing": "true", "auth-extra-groups": "system:bootstrappers:a,system:bootstrappers:b",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if secret.Namespace != "kube-system" || secret.Name != "bootstrap-token-07401b" || secret.Type != "bootstrap.kubernetes.io/token" {
			t.Errorf("%s/%s of type %s", secret.Namespace, secret.Name, secret.Type)
		}
	})
	t.Run("what a Secret holds is read back", func(t *testing.T) {
		got, err := FromSecret(spec.Secret())
		if diff := cmp.Diff(&spec, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
	for name, test := range map[string]struct {
		change func(*corev1.Secret)
		want   string
	}{
		"no id":                   {func(s *corev1.Secret) { delete(s.Data, "token-id") }, "bootstrap Token Secret has no token-id data: bootstrap-token-07401b"},
		"no secret":               {func(s *corev1.Secret) { delete(s.Data, "token-secret") }, "bootstrap Token Secret has no token-secret data: bootstrap-token-07401b"},
		"another's name":          {func(s *corev1.Secret) { s.Name = "mine" }, `bootstrap token name is not of the form 'bootstrap-token-(token-id)'. Actual: "mine". Expected: "bootstrap-token-07401b"`},
		"a secret that is no one": {func(s *corev1.Secret) { s.Data["token-secret"] = []byte("x") }, "bootstrap Token Secret bootstrap-token-07401b is invalid and couldn't be parsed: " + ErrMalformed.Error()},
		"an end that is no time":  {func(s *corev1.Secret) { s.Data["expiration"] = []byte("soon") }, `can't parse expiration time of bootstrap token "bootstrap-token-07401b": parsing time "soon" as "2006-01-02T15:04:05Z07:00": cannot parse "soon" as "2006"`},
	} {
		t.Run("a Secret with "+name+" is refused", func(t *testing.T) {
			secret := spec.Secret()
			test.change(secret)
			if _, err := FromSecret(secret); err == nil || err.Error() != test.want {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

func TestSpec_Validate(t *testing.T) {
	for name, test := range map[string]struct {
		usages, groups []string
		want           string
	}{
		"the default":            {Usages(), []string{DefaultGroup}, ""},
		"signing alone":          {[]string{"signing"}, nil, ""},
		"an unknown usage":       {[]string{"signing", "root"}, nil, `bootstrapTokens.0.usages: Invalid value: ["signing","root"]: invalid bootstrap token usage string: root, valid usage options: signing,authentication`},
		"groups without use":     {[]string{"signing"}, []string{DefaultGroup}, `bootstrapTokens.0.groups: Invalid value: ["system:bootstrappers:kubeadm:default-node-token"]: token groups cannot be specified unless --usages includes "authentication"`},
		"a group above all":      {[]string{"authentication"}, []string{"system:masters"}, `bootstrapTokens.0.groups: Invalid value: ["system:masters"]: bootstrap group "system:masters" is invalid (must match ` + GroupPattern + `)`},
		"a group on a new line":  {[]string{"authentication"}, []string{"system:bootstrappers:a\nsystem:masters"}, "bootstrapTokens.0.groups: Invalid value: [\"system:bootstrappers:a\\nsystem:masters\"]: bootstrap group \"system:bootstrappers:a\\nsystem:masters\" is invalid (must match " + GroupPattern + `)`},
		"a group and no usages ": {nil, []string{DefaultGroup}, `bootstrapTokens.0.groups: Invalid value: ["system:bootstrappers:kubeadm:default-node-token"]: token groups cannot be specified unless --usages includes "authentication"`},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := (&Spec{Usages: test.usages, Groups: test.groups}).Validate(); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("%s\nwant %s", got, test.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"07401b.f395accd246ae52d", "", ".", "a.b.c", "07401b.f395accd246ae52d\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if token, err := Parse(text); err == nil && (token.Value() != text || len(text) != 23) {
			t.Errorf("%q is taken for %q", text, token.Value())
		}
	})
}
