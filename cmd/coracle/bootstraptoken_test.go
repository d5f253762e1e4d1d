package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"

	"coracle/authn/bootstraptoken"
)

var aToken = bootstraptoken.Token{ID: "07401b", Secret: "f395accd246ae52d"}

func TestTokenList(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	full := bootstraptoken.Spec{Token: aToken, Expires: noon.Add(23*time.Hour + 59*time.Minute), Usages: bootstraptoken.Usages(), Groups: []string{bootstraptoken.DefaultGroup}}
	bare := bootstraptoken.Spec{Token: bootstraptoken.Token{ID: "zzzzzz", Secret: "0123456789abcdef"}, Description: "\x1b[31mred"}
	broken := full.Secret()
	broken.Name = "bootstrap-token-aaaaaa"
	for name, test := range map[string]struct {
		output  string
		objects []runtime.Object
		want    string
		errors  string
	}{
		"as a table": {"", []runtime.Object{full.Secret(), bare.Secret()}, `TOKEN                     TTL         EXPIRES                USAGES                   DESCRIPTION      EXTRA GROUPS
07401b.f395accd246ae52d   23h         2026-03-02T11:59:00Z   authentication,signing   <none>           system:bootstrappers:kubeadm:default-node-token
zzzzzz.0123456789abcdef   <forever>   <never>                <none>                   "\x1b[31mred"   <none>
`, ""},
		"as YAML, a document each": {"yaml", []runtime.Object{full.Secret(), bare.Secret()}, `apiVersion: output.kubeadm.k8s.io/v1alpha3
expires: "2026-03-02T11:59:00Z"
groups:
- system:bootstrappers:kubeadm:default-node-token
kind: BootstrapToken
token: 07401b.f395accd246ae52d
usages:
- authentication
- signing
---
apiVersion: output.kubeadm.k8s.io/v1alpha3
description: "\e[31mred"
kind: BootstrapToken
token: zzzzzz.0123456789abcdef
`, ""},
		"a broken one hides no other": {"", []runtime.Object{broken, bare.Secret()}, `TOKEN                     TTL         EXPIRES   USAGES   DESCRIPTION     EXTRA GROUPS
zzzzzz.0123456789abcdef   <forever>   <never>   <none>   "\x1b[31mred"   <none>
`, "bootstrap token name is not of the form 'bootstrap-token-(token-id)'. Actual: \"bootstrap-token-aaaaaa\". Expected: \"bootstrap-token-07401b\"\n"},
		"none": {"", nil, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errors bytes.Buffer
			c := connection{output: test.output}
			if err := c.listTokens(t.Context(), &out, &errors, fake.NewClientset(test.objects...), noon); err != nil {
				t.Fatal(err)
			}
			squeeze := regexp.MustCompile(` {3,}`) // how wide columns are is tabwriter's business
			if diff := cmp.Diff(squeeze.ReplaceAllString(test.want, "   "), squeeze.ReplaceAllString(out.String(), "   ")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if errors.String() != test.errors {
				t.Errorf("%s, want %s", errors.String(), test.errors)
			}
		})
	}
}

func TestTokenDelete(t *testing.T) {
	spec := bootstraptoken.Spec{Token: aToken}
	for name, test := range map[string]struct{ token, want, wantErr string }{
		"by its id":    {token: "07401b", want: "bootstrap token \"07401b\" deleted\n"},
		"as a whole":   {token: "07401b.f395accd246ae52d", want: "bootstrap token \"07401b\" deleted\n"},
		"of no form":   {token: "f395accd246ae52d", wantErr: `given token didn't match pattern "\\A([a-z0-9]{6})\\.([a-z0-9]{16})\\z" or "\\A([a-z0-9]{6})\\z"`},
		"not there":    {token: "aaaaaa", wantErr: `failed to delete bootstrap token "aaaaaa": secrets "bootstrap-token-aaaaaa" not found`},
		"a path in it": {token: "../a/b", wantErr: "given token didn't match pattern"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := deleteTokens(t.Context(), &out, fake.NewClientset(spec.Secret()), []string{test.token}, false)
			if out.String() != test.want || (err == nil) != (test.wantErr == "") || err != nil && !strings.Contains(err.Error(), test.wantErr) {
				t.Errorf("%s, %v", out.String(), err)
			}
		})
	}
}

func TestTokenCreate_Refuses(t *testing.T) {
	t.Setenv("KUBECONFIG", t.TempDir()+"/none")
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"a token of no form":     {[]string{"f395accd246ae52d"}, bootstraptoken.ErrMalformed.Error()},
		"an unknown usage":       {[]string{"--usages", "root"}, `bootstrapTokens.0.usages: Invalid value: ["root"]: invalid bootstrap token usage string: root, valid usage options: signing,authentication`},
		"a group above all":      {[]string{"--groups", "system:masters"}, `bootstrap group "system:masters" is invalid`},
		"groups without use":     {[]string{"--usages", "signing", "--groups", "system:bootstrappers:a"}, `token groups cannot be specified unless --usages includes "authentication"`},
		"a time before now":      {[]string{"--ttl", "-1s"}, "--ttl -1s is negative; 0 makes a token that lives for ever"},
		"no cluster to make one": {nil, "there is no cluster to ask"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := root("1.2.3", "coracle")
			cmd.SetOut(&bytes.Buffer{})
			cmd.SetArgs(append([]string{"token", "create"}, test.args...))
			if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
	t.Run("a token that is there already", func(t *testing.T) {
		spec := bootstraptoken.Spec{Token: aToken}
		err := createToken(t.Context(), fake.NewClientset(spec.Secret()), &spec, false)
		if err == nil || err.Error() != `a token with id "07401b" already exists` {
			t.Error(err)
		}
	})
}

func TestJoinCommand(t *testing.T) {
	_, err := joinCommand(&rest.Config{Host: "https://192.0.2.1:6443"}, aToken)
	if err == nil || err.Error() != "no CA certificates found in kubeconfig" {
		t.Errorf("%v: nothing could be pinned", err)
	}
	_, err = joinCommand(&rest.Config{Host: "https://192.0.2.1:6443", TLSClientConfig: rest.TLSClientConfig{CAData: []byte("x")}}, aToken)
	if err == nil || !strings.Contains(err.Error(), "failed to parse CA certificate from kubeconfig") {
		t.Error(err)
	}
}
