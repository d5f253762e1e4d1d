package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"coracle/apiserver/why"
	"coracle/rbac"
)

// Every refusal comes with the smallest grant. Each is applied, once by its kubectl commands and once as YAML, and then the
// request is allowed, and nothing else is.
func TestSmallestGrants(t *testing.T) {
	s := newServer(t)
	if err := s.up("--nodes=1"); err != nil {
		t.Fatal(err)
	}
	g := newGranting(t, s)
	for _, setUp := range []string{
		"kubectl create namespace blue", "kubectl create namespace green", "kubectl create role lister -n blue --verb=list --resource=endpoints",
		"kubectl create clusterrole watcher --verb=watch --resource=nodes", "kubectl create role reader -n blue --verb=get --resource=pods",
		"kubectl create secret generic password -n blue --from-literal=a=b", "kubectl run web --image=nginx -n blue",
	} {
		g.shell(t, setUp, "")
	}
	for _, c := range []struct {
		name               string
		method, path, body string
		as                 string                              // whom the service account acts as; nobody if it is empty
		may                string                              // what it may do beforehand, as a command's flags
		question           *authorizationv1.ResourceAttributes // instead of a request
		allowed            []string                            // exactly that: verb, resource, name, namespace
	}{
		{name: "list", path: "/api/v1/namespaces/blue/pods", allowed: []string{"list pods -n blue"}},
		{name: "list everywhere", path: "/api/v1/pods", allowed: []string{"list pods"}},
		{name: "watch", path: "/api/v1/namespaces/blue/pods?watch=true&timeoutSeconds=1", allowed: []string{"watch pods -n blue"}},
		{name: "get one", path: "/api/v1/namespaces/blue/secrets/password", allowed: []string{"get secrets password -n blue"}},
		{name: "get one that is not there", path: "/api/v1/namespaces/blue/secrets/nothing", allowed: []string{"get secrets nothing -n blue"}},
		{name: "create", method: "POST", path: "/api/v1/namespaces/blue/configmaps", body: `{"metadata":{"generateName":"c-"}}`, allowed: []string{"create configmaps -n blue"}},
		{name: "delete", method: "DELETE", path: "/api/v1/namespaces/blue/configmaps/nothing", allowed: []string{"delete configmaps nothing -n blue"}},
		{name: "delete a collection", method: "DELETE", path: "/api/v1/namespaces/blue/services", allowed: []string{"deletecollection services -n blue"}},
		{name: "another group", path: "/apis/apps/v1/namespaces/blue/deployments", allowed: []string{"list apps:deployments -n blue"}},
		{name: "cluster-wide kind", path: "/api/v1/nodes/node-1", allowed: []string{"get nodes node-1"}},
		{name: "logs", path: "/api/v1/namespaces/blue/pods/web/log", allowed: []string{"get pods/log web -n blue"}},
		{name: "exec", method: "POST", path: "/api/v1/namespaces/blue/pods/web/exec?command=true", allowed: []string{"create pods/exec web -n blue"}},
		{name: "status", method: "PUT", path: "/apis/apps/v1/namespaces/blue/deployments/none/status", body: `{}`, allowed: []string{"update apps:deployments/status none -n blue"}},
		{name: "token", method: "POST", path: "/api/v1/namespaces/blue/serviceaccounts/default/token", body: `{"kind":"TokenRequest","apiVersion":"authentication.k8s.io/v1"}`, allowed: []string{"create serviceaccounts/token default -n blue"}},
		{name: "path", path: "/metrics", allowed: []string{"get /metrics"}},
		{name: "a role fits", path: "/api/v1/namespaces/blue/endpoints", allowed: []string{"list endpoints -n blue"}},
		{name: "a cluster role fits", path: "/api/v1/nodes?watch=true&timeoutSeconds=1", allowed: []string{"watch nodes"}},
		{name: "group of nobody", path: "/apis/stable.example.com/v1/namespaces/blue/crontabs/x", allowed: []string{"get stable.example.com:crontabs x -n blue"}},
		{name: "singular for plural", path: "/api/v1/namespaces/blue/pod", allowed: []string{"list pod -n blue"}},
		{name: "group left out", path: "/api/v1/namespaces/blue/deployments", allowed: []string{"list deployments -n blue"}},
		{name: "act as a user", path: "/api/v1/namespaces/blue/pods", as: "lister", allowed: []string{
			"impersonate-on:user-info:list pods -n blue", "impersonate:user-info authentication.k8s.io:users lister"}},
		{name: "act as a service account", path: "/api/v1/namespaces/blue/pods", as: "system:serviceaccount:blue:lister", allowed: []string{
			"impersonate-on:serviceaccount:list pods -n blue", "impersonate:serviceaccount authentication.k8s.io:serviceaccounts lister -n blue"}},
		{name: "bind", method: "POST", path: "/apis/rbac.authorization.k8s.io/v1/namespaces/blue/rolebindings", may: "--verb=create --resource=rolebindings",
			body:    `{"metadata":{"generateName":"b-"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"reader"},"subjects":[]}`,
			allowed: []string{"bind rbac.authorization.k8s.io:roles reader -n blue"}},
		{name: "create by apply", method: "PATCH", path: "/api/v1/namespaces/blue/configmaps/applied-NAME?fieldManager=x", may: "--verb=patch --resource=configmaps",
			body: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"applied-NAME"}}`, allowed: []string{"create configmaps applied-NAME -n blue"}},
		{name: "use", question: &authorizationv1.ResourceAttributes{Verb: "use", Group: "example.com", Resource: "policies", Name: "strict", Namespace: "blue"}, allowed: []string{"use example.com:policies strict -n blue"}},
		{name: "escalate", question: &authorizationv1.ResourceAttributes{Verb: "escalate", Group: "rbac.authorization.k8s.io", Resource: "clusterroles", Name: "watcher"}, allowed: []string{"escalate rbac.authorization.k8s.io:clusterroles watcher"}},
		{name: "impersonate as of old", question: &authorizationv1.ResourceAttributes{Verb: "impersonate", Resource: "groups", Name: "dev"}, allowed: []string{"impersonate groups dev"}},
		{name: "a value of extra", question: &authorizationv1.ResourceAttributes{Verb: "impersonate", Group: "authentication.k8s.io", Resource: "userextras", Subresource: "scopes", Name: "view"}, allowed: []string{"impersonate authentication.k8s.io:userextras/scopes view"}},
		{name: "patch with a comma", question: &authorizationv1.ResourceAttributes{Verb: "get,list", Resource: "pods", Namespace: "blue"}, allowed: []string{"get,list pods -n blue"}},
	} {
		for _, way := range []string{"commands", "yaml"} {
			t.Run(c.name+" by "+way, func(t *testing.T) {
				name := strings.ReplaceAll(c.name, " ", "-") + "-" + way
				named := strings.NewReplacer("NAME", name)
				who := g.account(t, name)
				if c.may != "" {
					g.shell(t, "kubectl create role may-"+name+" -n blue "+c.may+" && kubectl create rolebinding may-"+name+" -n blue --role=may-"+name+" --serviceaccount=blue:"+name, "")
				}
				if c.as != "" {
					g.shell(t, "kubectl create rolebinding "+name+" -n blue --clusterrole=view --user="+c.as, "")
				}
				ask := func() (bool, []*rbac.SmallestGrant) {
					if c.question != nil {
						return g.ask(t, who, c.question)
					}
					return g.send(t, who, c.method, named.Replace(c.path), named.Replace(c.body), c.as)
				}
				before := g.permissions(t)
				allowed, grants := ask()
				if allowed || len(grants) == 0 {
					t.Fatalf("allowed is %v, and there are %d grants", allowed, len(grants))
				}
				for _, grant := range grants {
					if way == "yaml" {
						text, err := grant.Objects.YAML()
						if err != nil {
							t.Fatal(err)
						}
						g.shell(t, "kubectl apply -f -", text)
						continue
					}
					if len(grant.Commands) == 0 {
						t.Fatalf("there are no commands for: %s", grant.Says)
					}
					for _, command := range grant.Commands {
						g.shell(t, command, "")
					}
				}
				if allowed, grants := ask(); !allowed {
					t.Errorf("it is still refused, for want of: %v", grants)
				}
				after := g.permissions(t)
				wanted := make([]*rbac.Attributes, len(c.allowed))
				for i, line := range c.allowed {
					wanted[i] = attributes(named.Replace(line))
				}
				for _, u := range []user.Info{who.User, &user.DefaultInfo{Name: "somebody", Groups: []string{"system:authenticated", "system:serviceaccounts", "system:serviceaccounts:blue"}}} {
					g.compare(t, before, after, u, u == who.User, wanted)
				}
			})
		}
	}
}

// granting is what the test works with.
type granting struct {
	env     []string
	admin   *rest.Config
	client  kubernetes.Interface
	http    *http.Client
	kinds   []rbac.Attributes // each served resource with each of its verbs
	counter int
}

type account struct {
	User  user.Info
	token string
}

func newGranting(t *testing.T, s *server) *granting {
	g := &granting{admin: s.client(t)}
	g.env = append(os.Environ(), "KUBECONFIG="+s.kubeconfig(), "PATH="+tools(t).kubectl+string(os.PathListSeparator)+os.Getenv("PATH"), "HOME="+t.TempDir())
	var err error
	if g.client, err = kubernetes.NewForConfig(g.admin); err != nil {
		t.Fatal(err)
	}
	anonymous := rest.AnonymousClientConfig(g.admin)
	if g.http, err = rest.HTTPClientFor(anonymous); err != nil {
		t.Fatal(err)
	}
	_, lists, err := g.client.Discovery().ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lists {
		group, _, found := strings.Cut(l.GroupVersion, "/")
		if !found {
			group = ""
		}
		for _, r := range l.APIResources {
			resource, sub, _ := strings.Cut(r.Name, "/")
			for _, verb := range append(r.Verbs, "escalate", "bind", "use", "impersonate", "*") {
				g.kinds = append(g.kinds, rbac.Attributes{Verb: verb, ResourceRequest: true, APIGroup: group, Resource: resource, Subresource: sub})
			}
		}
	}
	return g
}

// shell runs a line as somebody would who pastes it into a terminal.
func (g *granting) shell(t *testing.T, line, input string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
	cmd.Env, cmd.Stdin = g.env, strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s%s", line, err, input, out)
	}
}

func (g *granting) account(t *testing.T, name string) account {
	t.Helper()
	accounts := g.client.CoreV1().ServiceAccounts("blue")
	if _, err := accounts.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	answer, err := accounts.CreateToken(t.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return account{&user.DefaultInfo{
		Name: "system:serviceaccount:blue:" + name, Groups: []string{"system:serviceaccounts", "system:serviceaccounts:blue", "system:authenticated"},
	}, answer.Status.Token}
}

// send sends the request, and returns what its decision says: whether it was let in, and the smallest grants.
func (g *granting) send(t *testing.T, who account, method, path, body, as string) (bool, []*rbac.SmallestGrant) {
	t.Helper()
	g.counter++
	id := fmt.Sprintf("grant-%d", g.counter)
	r, err := http.NewRequestWithContext(t.Context(), method, g.admin.Host+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+who.token)
	r.Header.Set("Audit-ID", id)
	if as != "" {
		r.Header.Set("Impersonate-User", as)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if method == "PATCH" {
		r.Header.Set("Content-Type", "application/apply-patch+yaml")
	}
	answer, err := g.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	said, _ := io.ReadAll(answer.Body)
	answer.Body.Close()
	d := &why.Decision{}
	g.get(t, "GET", "/apis/coracle.dev/v1alpha1/decisions/"+id, nil, d)
	if refused := answer.StatusCode == http.StatusForbidden; refused == d.Allowed {
		t.Fatalf("the answer is %d, and the decision says that allowed is %v: %s", answer.StatusCode, d.Allowed, said)
	}
	return d.Allowed, d.SmallestGrants
}

// ask asks whether they may.
func (g *granting) ask(t *testing.T, who account, a *authorizationv1.ResourceAttributes) (bool, []*rbac.SmallestGrant) {
	t.Helper()
	e := &why.AccessExplanation{TypeMeta: metav1.TypeMeta{Kind: "AccessExplanation", APIVersion: "coracle.dev/v1alpha1"}}
	e.Spec = authorizationv1.SubjectAccessReviewSpec{User: who.User.GetName(), Groups: who.User.GetGroups(), ResourceAttributes: a}
	g.get(t, "POST", "/apis/coracle.dev/v1alpha1/accessexplanations", e, e)
	return e.Status.Allowed, e.Status.SmallestGrants
}

func (g *granting) get(t *testing.T, verb, path string, body, into any) {
	t.Helper()
	request := g.client.CoreV1().RESTClient().Verb(verb).RequestURI(path)
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		request = request.SetHeader("Content-Type", "application/json").Body(bytes.NewReader(data))
	}
	data, err := request.SetHeader("Accept", "application/json").Do(t.Context()).Raw()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", verb, path, err, data)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

// permissions are all roles and bindings that there are now.
func (g *granting) permissions(t *testing.T) *rbac.Snapshot {
	t.Helper()
	var clusterRoles rbacv1.ClusterRoleList
	var clusterBindings rbacv1.ClusterRoleBindingList
	var roles rbacv1.RoleList
	var bindings rbacv1.RoleBindingList
	for resource, list := range map[string]any{
		"clusterroles": &clusterRoles, "clusterrolebindings": &clusterBindings, "roles": &roles, "rolebindings": &bindings,
	} {
		g.get(t, "GET", "/apis/rbac.authorization.k8s.io/v1/"+resource, nil, list)
	}
	policy := rbac.NewPolicy()
	for i := range clusterRoles.Items {
		policy.Apply(&clusterRoles.Items[i])
	}
	for i := range clusterBindings.Items {
		policy.Apply(&clusterBindings.Items[i])
	}
	for i := range roles.Items {
		policy.Apply(&roles.Items[i])
	}
	for i := range bindings.Items {
		policy.Apply(&bindings.Items[i])
	}
	return policy.Snapshot()
}

// compare looks at everything that could have become allowed: for the account exactly what was wanted, for others nothing.
func (g *granting) compare(t *testing.T, before, after *rbac.Snapshot, u user.Info, granted bool, wanted []*rbac.Attributes) {
	t.Helper()
	all := slices.Clone(g.kinds)
	for _, w := range wanted {
		all = append(all, *w)
		for _, verb := range []string{"get", "list", "create", "*", "impersonate", "escalate"} {
			other := *w
			other.Verb = verb
			all = append(all, other)
		}
	}
	for _, path := range []string{"/metrics", "/metrics/x", "/logs", "/debug/pprof", "/", "*"} {
		all = append(all, rbac.Attributes{Verb: "get", Path: path}, rbac.Attributes{Verb: "post", Path: path})
	}
	found := map[string]bool{}
	for _, a := range all {
		for _, namespace := range []string{"", "blue", "green", "kube-system"} {
			names := []string{"", "something", "web", "password"}
			for _, w := range wanted {
				names = append(names, w.Name)
			}
			for _, name := range names {
				a.User = u
				if a.ResourceRequest {
					a.Namespace, a.Name = namespace, name
				}
				if before.Authorize(&a).Allowed || !after.Authorize(&a).Allowed {
					continue
				}
				i := slices.IndexFunc(wanted, func(w *rbac.Attributes) bool { return granted && covers(w, &a) })
				if i < 0 {
					t.Errorf("%s may now %s as well", u.GetName(), &a)
					continue
				}
				found[wanted[i].String()] = true
			}
		}
	}
	for _, w := range wanted {
		if granted && !found[w.String()] {
			t.Errorf("%s may not %s now, or could before", u.GetName(), w)
		}
	}
}

// covers tells whether what was wanted implies the other: who may list all may list by name.
func covers(w, a *rbac.Attributes) bool {
	return w.Verb == a.Verb && w.APIGroup == a.APIGroup && w.Resource == a.Resource && w.Subresource == a.Subresource && w.Path == a.Path &&
		(w.Namespace == a.Namespace || w.Namespace == "") && (w.Name == a.Name || w.Name == "")
}

// attributes reads `get apps:deployments/scale web -n blue` or `get /metrics`.
func attributes(line string) *rbac.Attributes {
	line, namespace, _ := strings.Cut(line, " -n ")
	words := strings.Fields(line)
	a := &rbac.Attributes{Verb: words[0], Namespace: namespace}
	if strings.HasPrefix(words[1], "/") {
		a.Path = words[1]
		return a
	}
	a.ResourceRequest = true
	resource := words[1]
	if group, rest, ok := strings.Cut(resource, ":"); ok {
		a.APIGroup, resource = group, rest
	}
	a.Resource, a.Subresource, _ = strings.Cut(resource, "/")
	if len(words) > 2 {
		a.Name = words[2]
	}
	return a
}
