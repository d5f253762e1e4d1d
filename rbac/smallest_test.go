package rbac

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/authentication/user"
)

func TestSmallestGrant_Commands(t *testing.T) {
	for _, c := range []struct {
		name, policy, request string
		want                  []string
	}{
		{"a Role with exactly one rule", "", "ann list pods -n blue", []string{
			"kubectl create role ann-list-pods --verb=list --resource=pods --namespace=blue",
			"kubectl create rolebinding ann-list-pods --role=ann-list-pods --user=ann --namespace=blue"}},
		{"for the name that was asked for", "", "ann get pods web -n blue", []string{
			"kubectl create role ann-get-pods --verb=get --resource=pods --resource-name=web --namespace=blue",
			"kubectl create rolebinding ann-get-pods --role=ann-get-pods --user=ann --namespace=blue"}},
		{"with group and subresource", "", "ann update apps:deployments/scale web -n blue", []string{
			"kubectl create role ann-update-deployments-scale --verb=update --resource=deployments.apps/scale --resource-name=web --namespace=blue",
			"kubectl create rolebinding ann-update-deployments-scale --role=ann-update-deployments-scale --user=ann --namespace=blue"}},
		{"a ClusterRole where there is no namespace", "", "ann list nodes", []string{
			"kubectl create clusterrole ann-list-nodes --verb=list --resource=nodes",
			"kubectl create clusterrolebinding ann-list-nodes --clusterrole=ann-list-nodes --user=ann"}},
		{"a path", "", "ann get /metrics", []string{
			"kubectl create clusterrole ann-get-metrics --verb=get --non-resource-url=/metrics",
			"kubectl create clusterrolebinding ann-get-metrics --clusterrole=ann-get-metrics --user=ann"}},
		{"a service account", "", "green:robot get configmaps settings -n blue", []string{
			"kubectl create role robot-get-configmaps --verb=get --resource=configmaps --resource-name=settings --namespace=blue",
			"kubectl create rolebinding robot-get-configmaps --role=robot-get-configmaps --serviceaccount=green:robot --namespace=blue"}},
		{"a role that grants just this is reused", "role blue/lister: list pods", "ann list pods -n blue", []string{
			"kubectl create rolebinding ann-list-pods --role=lister --user=ann --namespace=blue"}},
		{"a ClusterRole too, but bound in the namespace", "role lister: list pods", "ann list pods -n blue", []string{
			"kubectl create rolebinding ann-list-pods --clusterrole=lister --user=ann --namespace=blue"}},
		{"a role that grants more is not", "role blue/lister: list,watch pods", "ann list pods -n blue", []string{
			"kubectl create role ann-list-pods --verb=list --resource=pods --namespace=blue",
			"kubectl create rolebinding ann-list-pods --role=ann-list-pods --user=ann --namespace=blue"}},
		{"a role that grants all names is not", "role blue/getter: get pods", "ann get pods web -n blue", []string{
			"kubectl create role ann-get-pods --verb=get --resource=pods --resource-name=web --namespace=blue",
			"kubectl create rolebinding ann-get-pods --role=ann-get-pods --user=ann --namespace=blue"}},
		{"names that are taken are left alone", "role blue/ann-list-pods: get secrets\nbinding blue/ann-list-pods-2: Role/x -> User/bob", "ann list pods -n blue", []string{
			"kubectl create role ann-list-pods-3 --verb=list --resource=pods --namespace=blue",
			"kubectl create rolebinding ann-list-pods --role=ann-list-pods-3 --user=ann --namespace=blue"}},
		{"nothing for what is allowed", "role r: list pods\nbinding b: ClusterRole/r -> User/ann", "ann list pods -n blue", nil},
		{"nothing for every verb", "", "ann * pods -n blue", nil},
		{"nothing for every resource", "", "ann get *", nil},
		{"nothing for a subresource of every resource", "", "ann get */scale", nil},
		{"nothing for every API group", "", "ann get *:pods", nil},
		{"nothing for every path", "", "ann get /healthz/*", nil},
		{"what kubectl's flags cannot say is piped into it", "", "ann get,delete pods -n blue", []string{
			`printf '%s' '{"apiVersion":"v1","items":[{"kind":"Role","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{"name":"ann-get-delete-pods","namespace":"blue"},"rules":[{"verbs":["get,delete"],"apiGroups":[""],"resources":["pods"]}]},` +
				`{"kind":"RoleBinding","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{"name":"ann-get-delete-pods","namespace":"blue"},"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"ann"}],"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"ann-get-delete-pods"}}],"kind":"List"}' | kubectl create -f -`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, ok := policy(t, c.policy).SmallestGrant(ask(c.request))
			var got []string
			if ok {
				got = g.Commands
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// kubectl looks resources up: --resource=pod would mean pods, and --resource=deployments those of the group apps.
func TestSmallestGrant_OfWhatIsNotServedIsPiped(t *testing.T) {
	for _, request := range []string{"ann get pod -n blue", "ann list deployments -n blue", "ann impersonate authentication.k8s.io:uids 1", "ann use things -n blue", "ann impersonate-on:user-info:get pods -n blue"} {
		a := ask(request)
		a.Unserved = true
		g, ok := policy(t, "").SmallestGrant(a)
		if !ok || len(g.Commands) != 1 || !strings.HasPrefix(g.Commands[0], "printf '%s' '{") {
			t.Errorf("%s: %+v", request, g)
		}
	}
}

func TestSmallestGrants(t *testing.T) {
	s := policy(t, "")
	var refused []Decision
	for _, request := range []string{"ann impersonate groups dev", "ann impersonate groups ops", "ann impersonate groups dev"} {
		refused = append(refused, s.Authorize(ask(request)))
	}
	grants, ok := SmallestGrants(refused)
	if !ok || len(grants) != 2 {
		t.Fatalf("%d grants", len(grants))
	}
	for _, g := range grants {
		s = s.With(g.Objects...)
	}
	for _, d := range refused {
		if !s.Authorize(d.request).Allowed {
			t.Errorf("%s is not allowed by all of them together", d.request)
		}
	}
	if grants, ok := SmallestGrants(append(refused, s.Authorize(ask("ann * pods")))); ok {
		t.Errorf("a part is recommended of what cannot be recommended whole: %+v", grants)
	}
	if _, ok := SmallestGrants(nil); ok {
		t.Error("grants for nothing")
	}
}

func TestSmallestGrant_DoesNotReuseARoleThatGathers(t *testing.T) {
	role, _ := from(object(t, "role lister: list pods"))
	role.GathersFrom = gatherFrom("to-lister")
	g, ok := policy(t, "").With(role.Object()).SmallestGrant(ask("ann list pods -n blue"))
	if !ok || len(g.Objects) != 2 {
		t.Errorf("%+v", g)
	}
}

func TestSmallestGrant_YAML(t *testing.T) {
	g, _ := policy(t, "").SmallestGrant(ask("ann list pods -n blue"))
	got, err := g.Objects.YAML()
	if err != nil {
		t.Fatal(err)
	}
	want := `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: ann-list-pods
  namespace: blue
rules:
- apiGroups:
  - ""
  resources:
  - pods
  verbs:
  - list
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: ann-list-pods
  namespace: blue
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: ann-list-pods
subjects:
- apiGroup: rbac.authorization.k8s.io
  kind: User
  name: ann
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A user's name comes from outside, and what we suggest is pasted into the terminal of an administrator.
func TestSmallestGrant_HostileNames(t *testing.T) {
	for _, name := range []string{"$(touch /tmp/x)", "a'; rm -rf / #", "`id`", "a b", "--kubeconfig=x", "ann\nkubectl delete ns blue", "\x1b]0;x\a", "日本", "*", ""} {
		a := ask("ann list pods -n blue")
		a.User = &user.DefaultInfo{Name: name}
		g, ok := policy(t, "").SmallestGrant(a)
		if name == "" {
			if ok {
				t.Errorf("a grant for nobody: %+v", g)
			}
			continue
		}
		if !ok {
			t.Errorf("%q: no grant", name)
			continue
		}
		if strings.ContainsAny(name, "\n\x1b") {
			if g.Commands != nil {
				t.Errorf("%q: commands with control characters: %q", name, g.Commands)
			}
			continue
		}
		got := shellWords(t, g.Commands[1])
		if want := "--user=" + name; got[len(got)-2] != want {
			t.Errorf("%q: the shell reads %q in %s", name, got, g.Commands[1])
		}
		for _, word := range shellWords(t, g.Commands[0]) {
			if strings.Contains(word, name) {
				t.Errorf("%q is in the role's command %s", name, g.Commands[0])
			}
		}
	}
}

// shellWords lets a real shell take the command apart, without running it.
func shellWords(t *testing.T, command string) []string {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh here to take commands apart")
	}
	out, err := exec.CommandContext(t.Context(), sh, "-c", `printf '%s\0' `+command).Output()
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

func FuzzShell(f *testing.F) {
	for _, s := range []string{"ann", "it's", "$HOME", "", "a b", `\`, "''"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, word string) {
		if got := unquote(shell([]string{word})); got != word {
			t.Errorf("%q becomes %q", word, got)
		}
	})
}

// unquote reads one word as POSIX says: between single quotes everything is itself, outside a backslash
// makes the next character itself, and nothing else may need quoting.
func unquote(s string) string {
	var b strings.Builder
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\'':
			quoted = !quoted
		case !quoted && c == '\\':
			i++
			b.WriteByte(s[i])
		case !quoted && strings.IndexByte(" \t\n$`\"|&;<>()*?[]#~=%!{}", c) >= 0 && c != '=':
			return "unquoted " + s
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
