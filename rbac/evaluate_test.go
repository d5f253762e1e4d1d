package rbac

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestAuthorize_Matching(t *testing.T) {
	for _, c := range []struct {
		name, rule, request string
		allowed             bool
	}{
		{"a verb that is named", "get,list pods", "ann list pods -n blue", true},
		{"list does not imply watch", "list pods", "ann watch pods -n blue", false},
		{"get does not imply list", "get pods", "ann list pods -n blue", false},
		{"delete does not imply deletecollection", "delete pods", "ann deletecollection pods -n blue", false},
		{"every verb", "* pods", "ann frobnicate pods -n blue", true},
		{"a resource does not include its subresources", "get pods", "ann get pods/log web -n blue", false},
		{"a subresource does not include its resource", "get pods/log", "ann get pods web -n blue", false},
		{"a subresource by its full name", "get pods/log", "ann get pods/log web -n blue", true},
		{"a subresource of every resource", "get apps:*/scale", "ann get apps:deployments/scale web -n blue", true},
		{"a subresource of every resource, but another one", "get apps:*/scale", "ann get apps:deployments/status web -n blue", false},
		{"a star after the slash means nothing", "get pods/*", "ann get pods/log web -n blue", false},
		{"every resource includes subresources", "get *", "ann get pods/log web -n blue", true},
		{"a star is no prefix", "get pod*", "ann get pods web -n blue", false},
		{"another API group", "get extensions:deployments", "ann get apps:deployments web -n blue", false},
		{"the core group is not every group", "get deployments", "ann get apps:deployments web -n blue", false},
		{"every API group", "get *:deployments", "ann get apps:deployments web -n blue", true},
		{"a name that is listed", "get pods =web,db", "ann get pods db -n blue", true},
		{"a name that is not listed", "get pods =web,db", "ann get pods cache -n blue", false},
		{"a list is of no name", "list pods =web", "ann list pods -n blue", false},
		{"a list by field selector has a name", "list pods =web", "ann list pods web -n blue", true},
		{"a creation is of no name", "create pods =web", "ann create pods -n blue", false},
		{"a star is no name", "get pods =*", "ann get pods web -n blue", false},
		{"a path", "get /healthz", "ann get /healthz", true},
		{"a path does not include what is below", "get /healthz", "ann get /healthz/etcd", false},
		{"what is below a path", "get /healthz/*", "ann get /healthz/etcd", true},
		{"what is below a path does not include the path", "get /healthz/*", "ann get /healthz", false},
		{"a star in the middle is a star", "get /apis/*/v1", "ann get /apis/apps/v1", false},
		{"a rule for paths does not allow resources", "get /*", "ann get pods web -n blue", false},
		{"a rule for resources does not allow paths", "get *:*", "ann get /healthz", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := policy(t, "role r: "+c.rule+"\nbinding b: ClusterRole/r -> User/ann")
			if got := s.Authorize(ask(c.request)); got.Allowed != c.allowed {
				t.Errorf("rule %q, request %q: allowed is %v", c.rule, c.request, got.Allowed)
			}
		})
	}
}

func TestAuthorize_Reasons(t *testing.T) {
	for _, c := range []struct {
		name, policy, request string
		allowed               bool
		reason                string
	}{
		{"nobody is bound", "role r: get pods", "ann get pods -n blue", false, ""},
		{"a ClusterRoleBinding counts everywhere", "role r: get pods\nbinding b: ClusterRole/r -> Group/devs", "ann+devs get pods -n blue", true,
			`RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "r" to Group "devs"`},
		{"a RoleBinding counts in its namespace", "role r: get pods\nbinding blue/b: ClusterRole/r -> User/ann", "ann get pods -n blue", true,
			`RBAC: allowed by RoleBinding "b/blue" of ClusterRole "r" to User "ann"`},
		{"and not in another", "role r: get pods\nbinding blue/b: ClusterRole/r -> User/ann", "ann get pods -n green", false, ""},
		{"and not for all namespaces", "role r: get pods\nbinding blue/b: ClusterRole/r -> User/ann", "ann get pods", false, ""},
		{"and not for paths", "role r: get /healthz\nbinding blue/b: ClusterRole/r -> User/ann", "ann get /healthz", false, ""},
		{"a Role is looked for in the binding's namespace", "role green/r: get pods\nbinding blue/b: Role/r -> User/ann", "ann get pods -n blue", false,
			`RBAC: role.rbac.authorization.k8s.io "r" not found`},
		{"a ClusterRoleBinding cannot refer to a Role", "role r: get pods\nrole blue/r: get pods\nbinding b: Role/r -> User/ann", "ann get pods -n blue", false,
			`RBAC: role.rbac.authorization.k8s.io "r" not found`},
		{"a role that does not exist", "binding b: ClusterRole/ghost -> User/ann", "ann get pods -n blue", false,
			`RBAC: clusterrole.rbac.authorization.k8s.io "ghost" not found`},
		{"several roles that do not exist", "binding b: ClusterRole/ghost -> User/ann\nbinding blue/b: Role/spook -> User/ann Group/devs", "ann+devs get pods -n blue", false,
			`RBAC: [clusterrole.rbac.authorization.k8s.io "ghost" not found, role.rbac.authorization.k8s.io "spook" not found]`},
		{"missing roles matter not when another allows", "role r: get pods\nbinding a: ClusterRole/ghost -> User/ann\nbinding b: ClusterRole/r -> User/ann", "ann get pods -n blue", true,
			`RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "r" to User "ann"`},
		{"a kind of role that there is not", "binding b: Rule/r -> User/ann", "ann get pods -n blue", false,
			`RBAC: unsupported role reference kind: "Rule"`},
		{"the first subject that is the user is named", "role r: get pods\nbinding b: ClusterRole/r -> User/bob Group/devs User/ann", "ann+devs get pods -n blue", true,
			`RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "r" to Group "devs"`},
		{"a service account is named with its namespace", "role r: get pods\nbinding b: ClusterRole/r -> ServiceAccount/blue:robot", "blue:robot get pods -n green", true,
			`RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "r" to ServiceAccount "robot/blue"`},
		{"a RoleBinding lends a service account its namespace", "role r: get pods\nbinding blue/b: ClusterRole/r -> ServiceAccount/robot", "blue:robot get pods -n blue", true,
			`RBAC: allowed by RoleBinding "b/blue" of ClusterRole "r" to ServiceAccount "robot/blue"`},
		{"a ClusterRoleBinding has no namespace to lend", "role r: get pods\nbinding b: ClusterRole/r -> ServiceAccount/robot", "blue:robot get pods -n blue", false, ""},
		{"a service account of the same name elsewhere is somebody else", "role r: get pods\nbinding b: ClusterRole/r -> ServiceAccount/blue:robot", "green:robot get pods -n blue", false, ""},
		{"a user is not a group", "role r: get pods\nbinding b: ClusterRole/r -> Group/ann", "ann get pods -n blue", false, ""},
		{"a group is not a user", "role r: get pods\nbinding b: ClusterRole/r -> User/devs", "ann+devs get pods -n blue", false, ""},
		{"capitals count", "role r: get pods\nbinding b: ClusterRole/r -> User/Ann", "ann get pods -n blue", false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := policy(t, c.policy).Authorize(ask(c.request))
			if d.Allowed != c.allowed || d.Reason() != c.reason {
				t.Errorf("got  %v %q\nwant %v %q", d.Allowed, d.Reason(), c.allowed, c.reason)
			}
		})
	}
}

func TestAuthorize_NobodyIsRefused(t *testing.T) {
	s := policy(t, "role r: * *:*\nbinding b: ClusterRole/r -> User/ Group/")
	d := s.Authorize(&Attributes{Verb: "get", ResourceRequest: true, Resource: "pods"})
	if d.Allowed || d.Reason() != "" {
		t.Errorf("a request without a user: %v %q", d.Allowed, d.Reason())
	}
	if e := d.Explain(); e.Allowed {
		t.Errorf("explained as %+v", e)
	}
}

func TestPolicy_FollowsChangesWhileItIsRead(t *testing.T) {
	p := NewPolicy()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "r"}, Rules: []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}}}
	binding := object(t, "binding b: ClusterRole/r -> User/ann")
	p.Apply(role, binding)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 1000 {
			p.Remove(binding)
			p.Apply(binding)
		}
	}()
	a := ask("ann get pods -n blue")
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		d := p.Authorize(a)
		if want := d.Allowed; d.Explain().Allowed != want {
			t.Fatal("the explanation is not of the policy that decided")
		}
	}
	if !p.Authorize(a).Allowed {
		t.Error("refused after the last change")
	}
}
