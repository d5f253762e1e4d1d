package abac

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/apiserver/authz"
	"coracle/rbac"
)

func policies(t testing.TB, specs ...string) Authorizer {
	t.Helper()
	var lines []string
	for _, spec := range specs {
		lines = append(lines, `{"apiVersion":"abac.authorization.kubernetes.io/v1beta1","kind":"Policy","spec":`+spec+`}`)
	}
	a, err := Read(strings.NewReader(strings.Join(lines, "\n")), "test")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// ask reads `ann+devs get apps:deployments blue` or `ann get /healthz`.
func ask(line string) *rbac.Attributes {
	words := strings.Fields(line)
	names := strings.Split(words[0], "+")
	a := &rbac.Attributes{User: &user.DefaultInfo{Name: names[0], Groups: append(names[1:], "system:authenticated")}, Verb: words[1]}
	if strings.HasPrefix(words[2], "/") {
		a.Path = words[2]
		return a
	}
	a.ResourceRequest = true
	var grouped bool
	if a.APIGroup, a.Resource, grouped = strings.Cut(words[2], ":"); !grouped {
		a.APIGroup, a.Resource = "", words[2]
	}
	if len(words) > 3 {
		a.Namespace = words[3]
	}
	return a
}

func TestAuthorize(t *testing.T) {
	for _, c := range []struct {
		name, spec, request string
		allowed             bool
	}{
		{"a user and a resource", `{"user":"ann","namespace":"blue","resource":"pods"}`, "ann create pods blue", true},
		{"another user", `{"user":"ann","namespace":"blue","resource":"pods"}`, "bob create pods blue", false},
		{"another namespace", `{"user":"ann","namespace":"blue","resource":"pods"}`, "ann create pods green", false},
		{"another API group", `{"user":"ann","namespace":"blue","resource":"deployments"}`, "ann get apps:deployments blue", false},
		{"every API group", `{"user":"ann","namespace":"blue","resource":"deployments","apiGroup":"*"}`, "ann get apps:deployments blue", true},
		{"readonly allows to read", `{"user":"ann","namespace":"*","resource":"*","readonly":true}`, "ann watch pods blue", true},
		{"readonly does not allow to write", `{"user":"ann","namespace":"*","resource":"*","readonly":true}`, "ann delete pods blue", false},
		{"a misspelt readonly is passed over", `{"user":"ann","namespace":"*","resource":"*","readOnly":true}`, "ann delete pods blue", true},
		{"a group", `{"group":"devs","namespace":"*","resource":"*"}`, "ann+devs get pods blue", true},
		{"a user of a group needs both", `{"user":"ann","group":"devs","namespace":"*","resource":"*"}`, "ann get pods blue", false},
		{"neither user nor group is nobody", `{"namespace":"*","resource":"*"}`, "ann get pods blue", false},
		{"everybody who is known", `{"user":"*","namespace":"*","resource":"*"}`, "ann get pods blue", true},
		{"a path", `{"user":"ann","nonResourcePath":"/healthz"}`, "ann get /healthz", true},
		{"what is below a path", `{"user":"ann","nonResourcePath":"/healthz/*"}`, "ann get /healthz/etcd", true},
		{"another path", `{"user":"ann","nonResourcePath":"/healthz"}`, "ann get /healthz/etcd", false},
		{"a path is no resource", `{"user":"ann","nonResourcePath":"*"}`, "ann get pods blue", false},
		{"a resource is no path", `{"user":"ann","namespace":"*","resource":"*","apiGroup":"*"}`, "ann get /healthz", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := policies(t, `{"user":"nobody"}`, c.spec).Authorize(t.Context(), ask(c.request))
			want := authz.Opinion{Because: authz.Sentence("No policy matched.")}
			if c.allowed {
				want.Verdict = authz.Allow
				if m, ok := o.Because.(Match); !ok || m.String() != "line 2 of the ABAC policy file" {
					t.Errorf("because of %v", o.Because)
				}
			}
			if o.Verdict != want.Verdict || !c.allowed && o.Because != want.Because {
				t.Errorf("%+v, want %+v", o, want)
			}
		})
	}
}

func TestAuthorize_AnonymousIsNotEverybody(t *testing.T) {
	a := ask("system:anonymous get pods blue")
	a.User = &user.DefaultInfo{Name: "system:anonymous", Groups: []string{"system:unauthenticated"}}
	for _, spec := range []string{`{"user":"*","namespace":"*","resource":"*"}`, `{"group":"*","namespace":"*","resource":"*"}`} {
		if o := policies(t, spec).Authorize(t.Context(), a); o.Verdict == authz.Allow {
			t.Errorf("%s allows an anonymous request", spec)
		}
	}
	if o := policies(t, `{"user":"*","namespace":"*","resource":"*"}`).Authorize(t.Context(), &rbac.Attributes{}); o.Verdict == authz.Allow {
		t.Error("nobody is allowed")
	}
}

func TestRead(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []Policy
		err        string
	}{
		{"comments and empty lines", "# a comment\n\n  \n", nil, ""},
		{"the first releases' form: empty means all", `{"user":"ann"}`, []Policy{{User: "ann", APIGroup: "*", Resource: "*", Namespace: "*", NonResourcePath: "*"}}, ""},
		{"the first releases' form, for everybody", `{"resource":"pods","readonly":true}`, []Policy{{Group: "system:authenticated", APIGroup: "*", Resource: "pods", Namespace: "*", Readonly: true}}, ""},
		{"no JSON", "{", nil, "error reading policy file test, line 1: {: unexpected end of JSON input"},
		{"another kind", "\n" + `{"apiVersion":"v1","kind":"Pod"}`, nil, `error reading policy file test, line 2: {"apiVersion":"v1","kind":"Pod"}: Pod of v1 is not a Policy of abac.authorization.kubernetes.io/v1beta1`},
		{"a version that was forgotten", `{"user":"ann","apiGroup":"apps"}`, nil, `error reading policy file test, line 1: {"user":"ann","apiGroup":"apps"}: a policy with an apiGroup or nonResourcePath must say its apiVersion and kind`},
		{"a line without end", strings.Repeat("x", maxLine+1), nil, "error reading policy file test: bufio.Scanner: token too long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Read(strings.NewReader(c.text), "test")
			message := ""
			if err != nil {
				message = err.Error()
			}
			if message != c.err {
				t.Errorf("error is %q, want %q", message, c.err)
			}
			for i := range got.Policies {
				got.Policies[i].line = 0
			}
			if diff := cmp.Diff(c.want, got.Policies, cmp.AllowUnexported(Policy{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFromFile_Missing(t *testing.T) {
	if _, err := FromFile(t.TempDir() + "/policy.jsonl"); err == nil {
		t.Error("a file that is not there was read")
	}
}

func TestRulesFor(t *testing.T) {
	a := policies(t, `{"user":"ann","namespace":"blue","resource":"pods","readonly":true}`, `{"group":"devs","namespace":"*","resource":"*","apiGroup":"*","nonResourcePath":"/x"}`, `{"user":"bob","namespace":"*","resource":"*"}`)
	got := a.RulesFor(ask("ann+devs get /").User, "blue")
	want := authz.Rules{
		Resource: []authorizationv1.ResourceRule{
			{Verbs: []string{"get", "list", "watch"}, APIGroups: []string{""}, Resources: []string{"pods"}},
			{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}},
		},
		NonResource: []authorizationv1.NonResourceRule{{Verbs: []string{"*"}, NonResourceURLs: []string{"/x"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(a.RulesFor(ask("ann+devs get /").User, "green").Resource) != 1 {
		t.Error("a policy of another namespace is listed")
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`{"apiVersion":"abac.authorization.kubernetes.io/v1beta1","kind":"Policy","spec":{"user":"*","namespace":"*","resource":"*"}}`)
	f.Add("# x\n{\"user\":\"ann\"}\n")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := Read(strings.NewReader(text), "fuzz")
		if err != nil && a.Policies != nil {
			t.Error("policies of a broken file")
		}
		// Whatever the file says, who is not known and named by nobody gets nothing.
		stranger := &rbac.Attributes{User: &user.DefaultInfo{Name: "\x00stranger"}, Verb: "get", ResourceRequest: true, Resource: "pods"}
		if a.Authorize(t.Context(), stranger).Verdict == authz.Allow && !strings.Contains(text, "stranger") {
			t.Errorf("%q allows a stranger", text)
		}
	})
}
