package rbac

import (
	"slices"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// write is the request that creates the object, or updates it when old is there.
func write(who string, obj, old runtime.Object) *Attributes {
	role, binding := from(obj)
	a := &Attributes{User: userOf(who), Verb: "create", ResourceRequest: true, APIGroup: rbacv1.GroupName}
	name := ""
	switch {
	case role != nil && role.Namespace == "":
		a.Resource, name = "clusterroles", role.Name
	case role != nil:
		a.Resource, a.Namespace, name = "roles", role.Namespace, role.Name
	case binding.Namespace == "":
		a.Resource, name = "clusterrolebindings", binding.Name
	default:
		a.Resource, a.Namespace, name = "rolebindings", binding.Namespace, binding.Name
	}
	if old != nil {
		a.Verb, a.Name = "update", name
	}
	return a
}

// The sentences are those of kube-apiserver v1.37.2.
func TestCheckEscalation(t *testing.T) {
	const held = `user "ann" (groups=["devs"]) is attempting to grant RBAC permissions not currently held:` + "\n"
	for _, c := range []struct {
		name, policy, who, object, old string
		want                           string
	}{
		{"what one holds may be given", "role mine: get,list pods\nbinding b: ClusterRole/mine -> User/ann", "ann+devs", "role blue/r: get pods", "", ""},
		{"what one does not hold may not", "role mine: get pods\nbinding b: ClusterRole/mine -> User/ann", "ann+devs",
			"role blue/r: get,list secrets,pods; * apps:deployments =a,b", "",
			`roles.rbac.authorization.k8s.io "r" is forbidden: ` + held +
				`{APIGroups:[""], Resources:["pods"], Verbs:["list"]}` + "\n" +
				`{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}` + "\n" +
				`{APIGroups:["apps"], Resources:["deployments"], ResourceNames:["a"], Verbs:["*"]}` + "\n" +
				`{APIGroups:["apps"], Resources:["deployments"], ResourceNames:["b"], Verbs:["*"]}`},
		{"paths are listed one by one", "", "ann+devs", "role r: get,post /metrics,/x/*", "",
			`clusterroles.rbac.authorization.k8s.io "r" is forbidden: ` + held +
				`{NonResourceURLs:["/metrics"], Verbs:["get"]}` + "\n" + `{NonResourceURLs:["/metrics"], Verbs:["post"]}` + "\n" +
				`{NonResourceURLs:["/x/*"], Verbs:["get"]}` + "\n" + `{NonResourceURLs:["/x/*"], Verbs:["post"]}`},
		{"nothing is listed twice", "", "ann+devs", "role r: get /x; get /x", "", `clusterroles.rbac.authorization.k8s.io "r" is forbidden: ` + held + `{NonResourceURLs:["/x"], Verbs:["get"]}`},
		{"what one holds in another namespace does not count", "role green/mine: get pods\nbinding green/b: Role/mine -> User/ann", "ann+devs", "role blue/r: get pods", "",
			`roles.rbac.authorization.k8s.io "r" is forbidden: ` + held + `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`},
		{"a rule for one name does not cover all", "role mine: get pods =web\nbinding b: ClusterRole/mine -> User/ann", "ann+devs", "role blue/r: get pods", "",
			`roles.rbac.authorization.k8s.io "r" is forbidden: ` + held + `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`},
		{"all subresources of a name cover one", "role mine: get apps:*/scale\nbinding b: ClusterRole/mine -> User/ann", "ann+devs", "role blue/r: get apps:deployments/scale", "", ""},
		{"roles that cannot be found are mentioned", "binding b: ClusterRole/ghost -> User/ann", "ann+devs", "role r: get /metrics", "",
			`clusterroles.rbac.authorization.k8s.io "r" is forbidden: ` + held + `{NonResourceURLs:["/metrics"], Verbs:["get"]}; resolution errors: [clusterroles.rbac.authorization.k8s.io "ghost" not found]`},
		{"escalate excuses", "role e: escalate rbac.authorization.k8s.io:roles\nbinding blue/b: ClusterRole/e -> User/ann", "ann+devs", "role blue/r: * *:*", "", ""},
		{"escalate on roles is not escalate on ClusterRoles", "role e: escalate rbac.authorization.k8s.io:roles\nbinding b: ClusterRole/e -> User/ann", "ann+devs", "role r: get pods", "",
			`clusterroles.rbac.authorization.k8s.io "r" is forbidden: ` + held + `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`},
		{"escalate by name does not count for a creation, which has none", "role e: escalate rbac.authorization.k8s.io:roles =r\nbinding b: ClusterRole/e -> User/ann", "ann+devs", "role blue/r: get pods", "",
			`roles.rbac.authorization.k8s.io "r" is forbidden: ` + held + `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`},
		{"escalate by name counts for an update", "role e: escalate rbac.authorization.k8s.io:roles =r\nbinding b: ClusterRole/e -> User/ann", "ann+devs", "role blue/r: get pods", "role blue/r: list pods", ""},
		{"members of system:masters may", "", "ann+system:masters", "role r: * *:*", "", ""},
		{"an update is checked as a whole", "", "ann+devs", "role blue/r: get pods; list pods", "role blue/r: get pods", `roles.rbac.authorization.k8s.io "r" is forbidden: ` + held +
			`{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`},
		{"an update that changes nothing passes", "", "ann+devs", "role blue/r: get pods", "role blue/r: get pods", ""},

		{"a role that one holds may be bound", "role mine: get pods\nbinding blue/b: ClusterRole/mine -> User/ann", "ann+devs", "binding blue/new: ClusterRole/mine -> User/bob", "", ""},
		{"but not cluster-wide", "role mine: get pods\nbinding blue/b: ClusterRole/mine -> User/ann", "ann+devs", "binding new: ClusterRole/mine -> User/bob", "",
			`clusterrolebindings.rbac.authorization.k8s.io "new" is forbidden: ` + held + `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`},
		{"a stronger role may not be bound", "role all: * *:*; * /*", "ann+devs", "binding blue/new: ClusterRole/all -> User/ann", "",
			`rolebindings.rbac.authorization.k8s.io "new" is forbidden: ` + held + `{APIGroups:["*"], Resources:["*"], Verbs:["*"]}` + "\n" + `{NonResourceURLs:["/*"], Verbs:["*"]}`},
		{"bind excuses, for the role it names", "role all: * *:*\nrole b: bind rbac.authorization.k8s.io:clusterroles =all\nbinding blue/b: ClusterRole/b -> User/ann", "ann+devs", "binding blue/new: ClusterRole/all -> User/bob", "", ""},
		{"bind in a namespace does not excuse cluster-wide", "role all: * *:*\nrole b: bind rbac.authorization.k8s.io:clusterroles\nbinding blue/b: ClusterRole/b -> User/ann", "ann+devs", "binding new: ClusterRole/all -> User/bob", "",
			`clusterrolebindings.rbac.authorization.k8s.io "new" is forbidden: ` + held + `{APIGroups:["*"], Resources:["*"], Verbs:["*"]}`},
		{"bind also binds what does not exist yet", "role b: bind rbac.authorization.k8s.io:roles\nbinding blue/b: ClusterRole/b -> User/ann", "ann+devs", "binding blue/new: Role/later -> User/bob", "", ""},
		{"a role that does not exist cannot be bound", "", "ann+devs", "binding blue/new: ClusterRole/nope -> User/ann", "", `rolebindings.rbac.authorization.k8s.io "nope" not found`},
		{"nor a Role of another namespace", "role green/r: get pods", "ann+devs", "binding blue/new: Role/r -> User/ann", "", `rolebindings.rbac.authorization.k8s.io "r" not found`},
		{"a ClusterRoleBinding has no namespace to find a Role in", "", "ann+devs", "binding new: Role/r -> User/ann", "", "Namespace parameter required."},
		{"a kind of role that there is not", "", "ann+devs", "binding blue/new: Foo/r -> User/ann", "", `unsupported role reference kind: "Foo"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := policy(t, c.policy)
			var old runtime.Object
			if c.old != "" {
				old = object(t, c.old)
			}
			obj := object(t, c.object)
			err := s.CheckEscalation(write(c.who, obj, old), obj, old, func(a *Attributes) bool { return s.Authorize(a).Allowed })
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestCheckEscalation_AggregationNeedsEverything(t *testing.T) {
	role := func(rules ...rbacv1.PolicyRule) *rbacv1.ClusterRole {
		return &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "r"}, Rules: rules, AggregationRule: gatherFrom("x")}
	}
	plain := role()
	plain.AggregationRule = nil
	const want = `clusterroles.rbac.authorization.k8s.io "r" is forbidden: must have cluster-admin privileges to use the aggregationRule`
	weak := policy(t, "role mine: get pods\nbinding b: ClusterRole/mine -> User/ann")
	strong := policy(t, "role all: * *:*; * /*,*\nbinding b: ClusterRole/all -> User/ann")
	for _, c := range []struct {
		name    string
		policy  *Snapshot
		obj     *rbacv1.ClusterRole
		old     runtime.Object
		allowed bool
	}{
		{"to create one", weak, role(), nil, false},
		{"to stop one from gathering", weak, plain, role(), false},
		{"which an administrator has", strong, role(), nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.policy.CheckEscalation(write("ann", c.obj, c.old), c.obj, c.old, func(*Attributes) bool { return false })
			if c.allowed != (err == nil) || err != nil && (err.Error() != want || !apierrors.IsForbidden(err)) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestCheckEscalation_GarbageCollectorMayDoItsWork(t *testing.T) {
	for _, line := range []string{"role blue/r: * *:*", "role r: * *:*", "binding blue/b: ClusterRole/r -> User/ann", "binding b: ClusterRole/r -> User/ann"} {
		old := object(t, line)
		obj := old.DeepCopyObject()
		obj.(metav1.Object).SetFinalizers([]string{"example.com/wait"})
		obj.(metav1.Object).SetOwnerReferences([]metav1.OwnerReference{{Name: "owner"}})
		s := policy(t, "role r: * *:*")
		if err := s.CheckEscalation(write("ann", obj, old), obj, old, func(*Attributes) bool { return false }); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		obj.(metav1.Object).SetLabels(map[string]string{"x": "y"})
		if err := s.CheckEscalation(write("ann", obj, old), obj, old, func(*Attributes) bool { return false }); err == nil {
			t.Errorf("%s: a label may be changed as well", line)
		}
	}
}

func TestCheckEscalation_AsksForTheRightPermission(t *testing.T) {
	s := policy(t, "role all: * *:*")
	var asked []string
	remember := func(a *Attributes) bool {
		asked = append(asked, a.String())
		if a.APIVersion != "*" || a.User.GetName() != "ann" {
			t.Errorf("asked %+v", a)
		}
		return true
	}
	for _, line := range []string{"role blue/r: * *:*", "role r: * *:*", "binding blue/b: Role/r -> User/ann", "binding b: ClusterRole/all -> User/ann"} {
		obj := object(t, line)
		if err := s.CheckEscalation(write("ann", obj, nil), obj, nil, remember); err != nil {
			t.Error(err)
		}
	}
	want := []string{
		`escalate roles.rbac.authorization.k8s.io in namespace "blue"`,
		`escalate clusterroles.rbac.authorization.k8s.io`,
		`bind roles.rbac.authorization.k8s.io "r" in namespace "blue"`,
		`bind clusterroles.rbac.authorization.k8s.io "all"`,
	}
	if !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}
