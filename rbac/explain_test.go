package rbac

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestExplain_NearMisses(t *testing.T) {
	for _, c := range []struct {
		name, policy, request string
		want                  []string // link, what is wrong, and the repair, of each
	}{
		{"nothing comes near", "role r: get secrets\nbinding b: ClusterRole/r -> User/ann\nrole q: get pods\nbinding c: ClusterRole/q -> User/bob", "ann get pods -n blue", nil},
		{"the role does not exist", "binding blue/b: Role/reader -> User/ann", "ann get pods -n blue", []string{
			`Role: RoleBinding "b" in namespace "blue" refers to Role "reader" in namespace "blue", which does not exist`,
			`create Role "reader" in namespace "blue" with a rule that allows to get pods in namespace "blue"`}},
		{"the role can never exist", "role reader: get pods\nbinding b: Role/reader -> User/ann", "ann get pods -n blue", []string{
			`Role: ClusterRoleBinding "b" refers to Role "reader", and there can be no such role`,
			`bind ann to a role that allows to get pods in namespace "blue"`}},
		{"the right role in another namespace", "role green/reader: get pods\nbinding green/b: Role/reader -> User/ann", "ann get pods -n blue", []string{
			`Namespace: RoleBinding "b" in namespace "green" gives ann the permission in that namespace, not in namespace "blue"`,
			`bind ann to Role "reader" by RoleBinding "b" in namespace "blue"`}},
		{"one namespace is not all", "role reader: list pods\nbinding green/b: ClusterRole/reader -> User/ann", "ann list pods", []string{
			`Namespace: RoleBinding "b" in namespace "green" gives ann the permission in that namespace, not cluster-wide`,
			`bind ann to ClusterRole "reader" by ClusterRoleBinding "b", or ask in namespace "green" only`}},
		{"a RoleBinding does not give paths", "role r: get /metrics\nbinding blue/b: ClusterRole/r -> User/ann", "ann get /metrics", []string{
			`Namespace: RoleBinding "b" in namespace "blue" counts in its namespace, and paths are in none`,
			`bind ann to ClusterRole "r" by ClusterRoleBinding "b"`}},
		{"the verb is missing", "role r: get,list pods\nbinding b: ClusterRole/r -> User/ann", "ann watch pods -n blue", []string{
			`Verb: rule 1 of ClusterRole "r" allows get and list, not watch`,
			`add verb watch to rule 1 of ClusterRole "r"`}},
		{"the verb has capitals", "role r: GET pods\nbinding b: ClusterRole/r -> User/ann", "ann get pods -n blue", []string{
			`Verb: rule 1 of ClusterRole "r" says "GET", and verbs are in lower case`,
			`add verb get to rule 1 of ClusterRole "r"`}},
		{"the subresource is missing", "role r: get secrets; get pods\nbinding b: ClusterRole/r -> User/ann", "ann get pods/log web -n blue", []string{
			`Subresource: rule 2 of ClusterRole "r" is for pods, which does not include the subresource pods/log`,
			`add resource pods/log to rule 2 of ClusterRole "r"`}},
		{"a star after the slash", "role r: get pods/*\nbinding b: ClusterRole/r -> User/ann", "ann get pods/log web -n blue", []string{
			`Subresource: rule 1 of ClusterRole "r" is for "pods/*", in which the star means nothing; the subresource is pods/log`,
			`add resource pods/log to rule 1 of ClusterRole "r"`}},
		{"only the subresource", "role r: get pods/log\nbinding b: ClusterRole/r -> User/ann", "ann get pods web -n blue", []string{
			`Subresource: rule 1 of ClusterRole "r" is for the subresource pods/log, which does not include pods`,
			`add resource pods to rule 1 of ClusterRole "r"`}},
		{"a kind in place of a resource", "role r: get apps:Deployment\nbinding b: ClusterRole/r -> User/ann", "ann get apps:deployments web -n blue", []string{
			`Resource: rule 1 of ClusterRole "r" is for "Deployment"; the resource is written deployments`,
			`add resource deployments to rule 1 of ClusterRole "r"`}},
		{"the group within the resource", "role r: get apps:deployments.apps\nbinding b: ClusterRole/r -> User/ann", "ann get apps:deployments web -n blue", []string{
			`Resource: rule 1 of ClusterRole "r" is for "deployments.apps"; in a rule the API group stands apart: resource deployments, API group apps`,
			`add resource deployments to rule 1 of ClusterRole "r"`}},
		{"the wrong API group", "role r: get deployments\nbinding b: ClusterRole/r -> User/ann", "ann get apps:deployments web -n blue", []string{
			`APIGroup: rule 1 of ClusterRole "r" is for deployments in API group "", not in "apps"`,
			`add API group "apps" to rule 1 of ClusterRole "r"`}},
		{"a version in place of the API group", "role r: get v1:pods\nbinding b: ClusterRole/r -> User/ann", "ann get pods web -n blue", []string{
			`APIGroup: rule 1 of ClusterRole "r" names "v1", which is a version; the API group is ""`,
			`add API group "" to rule 1 of ClusterRole "r"`}},
		{"another name", "role r: get pods =web,db\nbinding b: ClusterRole/r -> User/ann", "ann get pods cache -n blue", []string{
			`ResourceName: rule 1 of ClusterRole "r" is for pods web and db only, not for cache`,
			`add name "cache" to rule 1 of ClusterRole "r"`}},
		{"names on a list", "role r: list pods =web\nbinding b: ClusterRole/r -> User/ann", "ann list pods -n blue", []string{
			`ResourceName: rule 1 of ClusterRole "r" is for pods web only, and a request to list names none`,
			`add a rule without resourceNames to ClusterRole "r": list pods, or ask for one by --field-selector metadata.name=web`}},
		{"names on a creation", "role r: create pods =web\nbinding b: ClusterRole/r -> User/ann", "ann create pods -n blue", []string{
			`ResourceName: rule 1 of ClusterRole "r" is for pods web only, and a request to create names none`,
			`add a rule without resourceNames to ClusterRole "r": create pods`}},
		{"a path and what is below it", "role r: get /healthz\nbinding b: ClusterRole/r -> User/ann", "ann get /healthz/etcd", []string{
			`Path: rule 1 of ClusterRole "r" is for /healthz itself, not for what lies below it`,
			`add path /healthz/etcd to rule 1 of ClusterRole "r"`}},
		{"a user who is taken for a group", "role r: get pods\nbinding b: ClusterRole/r -> Group/ann", "ann get pods -n blue", []string{
			`Subject: ClusterRoleBinding "b" names Group "ann", and ann is a user`,
			`add User "ann" to ClusterRoleBinding "b"`}},
		{"a group that is taken for a user", "role r: get pods\nbinding b: ClusterRole/r -> User/devs", "ann+devs get pods -n blue", []string{
			`Subject: ClusterRoleBinding "b" names User "devs", and devs is a group`,
			`add Group "devs" to ClusterRoleBinding "b"`}},
		{"a service account that is taken for a user", "role r: get pods\nbinding blue/b: ClusterRole/r -> User/robot", "blue:robot get pods -n blue", []string{
			`Subject: RoleBinding "b" in namespace "blue" names User "robot", and robot in namespace blue is a ServiceAccount`,
			`add ServiceAccount "robot/blue" to RoleBinding "b" in namespace "blue"`}},
		{"a service account of another namespace", "role r: get pods\nbinding green/b: ClusterRole/r -> ServiceAccount/robot", "blue:robot get pods -n green", []string{
			`Subject: RoleBinding "b" in namespace "green" names ServiceAccount "robot" of its own namespace "green", not of "blue"`,
			`add ServiceAccount "robot/blue" to RoleBinding "b" in namespace "green"`}},
		{"a service account without a namespace", "role r: get pods\nbinding b: ClusterRole/r -> ServiceAccount/robot", "blue:robot get pods -n blue", []string{
			`Subject: ClusterRoleBinding "b" names ServiceAccount "robot" without a namespace`,
			`add ServiceAccount "robot/blue" to ClusterRoleBinding "b"`}},
		{"capitals of a user", "role r: get pods\nbinding b: ClusterRole/r -> User/Ann", "ann get pods -n blue", []string{
			`Subject: ClusterRoleBinding "b" names User "Ann", and the user is "ann": capitals count`,
			`add User "ann" to ClusterRoleBinding "b"`}},
		{"two faults are not near", "role r: get pods\nbinding green/b: ClusterRole/r -> User/Ann", "ann get pods -n blue", nil},
		{"the nearest comes first", "role r: get pods\nrole q: list pods\nbinding a: ClusterRole/q -> User/ann\nbinding green/b: ClusterRole/r -> User/ann\nbinding c: ClusterRole/ghost -> User/ann", "ann get pods -n blue", []string{
			`Role: ClusterRoleBinding "c" refers to ClusterRole "ghost", which does not exist`,
			`create ClusterRole "ghost" with a rule that allows to get pods in namespace "blue"`,
			`Namespace: RoleBinding "b" in namespace "green" gives ann the permission in that namespace, not in namespace "blue"`,
			`bind ann to ClusterRole "r" by RoleBinding "b" in namespace "blue"`,
			`Verb: rule 1 of ClusterRole "q" allows list, not get`,
			`add verb get to rule 1 of ClusterRole "q"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := policy(t, c.policy).Explain(ask(c.request))
			var got []string
			for _, m := range e.NearMisses {
				got = append(got, string(m.Link)+": "+m.Says, m.Repair.Says)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestExplain_MendsTheRoleThatARuleWasGatheredFrom(t *testing.T) {
	s := policy(t, "binding blue/b: ClusterRole/view -> User/ann")
	source := object(t, "role custom: get example.com:widgets")
	source.(labelled).SetLabels(map[string]string{"to-view": "true"})
	view, _ := from(object(t, "role view: get example.com:widgets"))
	view.GathersFrom = gatherFrom("to-view")
	s = s.With(source, view.Object())

	e := s.Explain(ask("ann list example.com:widgets -n blue"))
	if len(e.NearMisses) != 1 {
		t.Fatalf("near misses: %+v", e.NearMisses)
	}
	want := `add verb list to rule 1 of ClusterRole "custom"`
	if got := e.NearMisses[0].Repair.Says; got != want {
		t.Errorf("repair is %q, want %q", got, want)
	}
	e = s.Explain(ask("ann get example.com:widgets -n blue"))
	if w := e.Grants[0]; w.GatheredFrom == nil || w.GatheredFrom.Name != "custom" {
		t.Errorf("the granting rule is said to come from %v", w.GatheredFrom)
	}
}

func TestGather(t *testing.T) {
	s := newSnapshot()
	for line, labels := range map[string]map[string]string{
		"role b: get pods; get secrets": {"to-x": "true"},
		"role a: get pods; list pods":   {"to-x": "true"},
		"role c: get nodes":             {"to-y": "true"},
		"role x: delete pods":           {"to-x": "true"}, // itself
	} {
		obj := object(t, line)
		obj.(labelled).SetLabels(labels)
		s = s.With(obj)
	}
	role, _ := from(object(t, "role x:"))
	role.GathersFrom = gatherFrom("to-x")
	var got []string
	for _, g := range s.Gather(role) {
		got = append(got, g.From.Name+" "+compactString(g.rule()))
	}
	want := []string{
		`a {APIGroups:[""], Resources:["pods"], Verbs:["get"]}`,
		`a {APIGroups:[""], Resources:["pods"], Verbs:["list"]}`,
		`b {APIGroups:[""], Resources:["secrets"], Verbs:["get"]}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	role.GathersFrom.ClusterRoleSelectors[0].MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "x", Operator: "Nonsense"}}
	if got := s.Gather(role); got != nil {
		t.Errorf("a selector that cannot be understood chooses %v", got)
	}
	if got := s.Gather(&Role{Name: "plain"}); got != nil {
		t.Errorf("a role that does not gather gathers %v", got)
	}
}

func TestExplain_IsBounded(t *testing.T) {
	s := policy(t, "role r: get pods")
	for _, ns := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
		s = s.With(object(t, "binding "+ns+"/b: ClusterRole/r -> User/ann"))
	}
	e := s.Explain(ask("ann get pods -n blue"))
	if len(e.NearMisses) != maxNearMisses || e.More != 26-maxNearMisses {
		t.Errorf("%d near misses and %d more", len(e.NearMisses), e.More)
	}
	if again := s.Explain(ask("ann get pods -n blue")); cmp.Diff(e.Text(), again.Text()) != "" {
		t.Error("the same question is explained in two ways")
	}
}

// A path is whatever anybody on the network writes, percent signs and all, and its explanation is read in a terminal.
func TestExplain_HostileNames(t *testing.T) {
	a := ask("ann get /")
	a.Path = "/\x1b[2Jx\nann may get /"
	text := policy(t, "").Explain(a).Text()
	first, _, _ := strings.Cut(text, "\n")
	if want := `ann may not get /\x1b[2Jx\nann may get /.`; first != want {
		t.Errorf("got  %s\nwant %s", first, want)
	}
	if strings.ContainsRune(text, 0x1b) {
		t.Errorf("an escape sequence in %q", text)
	}
}

// In a circle of roles that gather from one another, the rule's own source is found all the same; and a rule that only
// the circle keeps cannot be mended in any of them.
func TestExplain_RolesThatGatherInACircle(t *testing.T) {
	circle := func(source string) *Snapshot {
		s := policy(t, "binding b: ClusterRole/x -> User/ann")
		for name, other := range map[string]string{"x": "y", "y": "x"} {
			role, _ := from(object(t, "role "+name+": get pods"))
			role.GathersFrom, role.Labels = gatherFrom("to-"+name), map[string]string{"to-" + other: "true"}
			s = s.With(role.Object())
		}
		if source != "" {
			obj := object(t, "role "+source+": get pods")
			obj.(labelled).SetLabels(map[string]string{"to-y": "true"})
			s = s.With(obj)
		}
		return s
	}
	for source, want := range map[string]string{
		"z": `add verb list to rule 1 of ClusterRole "z"`,
		"a": `add verb list to rule 1 of ClusterRole "a"`,
		"":  `bind ann to a role that allows to list pods in namespace "blue"`,
	} {
		s, a := circle(source), ask("ann list pods -n blue")
		e := s.Explain(a)
		if len(e.NearMisses) != 1 || e.NearMisses[0].Repair.Says != want {
			t.Errorf("source %q: %+v", source, e.NearMisses)
			continue
		}
		if !settle(s.With(e.NearMisses[0].Repair.Objects...)).Authorize(a).Allowed {
			t.Errorf("source %q: not allowed after the repair", source)
		}
	}
}

func TestExplain_TravelsAsJSON(t *testing.T) {
	for _, world := range []string{"role r: get pods\nbinding b: ClusterRole/r -> User/ann", "role blue/r: list pods\nbinding blue/b: Role/r -> User/ann"} {
		e := policy(t, world).Explain(ask("ann list pods -n blue"))
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var read Explanation
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, &read); diff != "" {
			t.Errorf("(-sent +read):\n%s", diff)
		}
		if diff := cmp.Diff(e.Text(), read.Text()); diff != "" {
			t.Errorf("(-sent +read):\n%s", diff)
		}
	}
	for _, text := range []string{`{}`, `[1]`, `[{"apiVersion":"v1","kind":"Pod"}]`, `[{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"Role","rules":1}]`} {
		if err := json.Unmarshal([]byte(text), &Manifests{}); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}

func TestWhoCan(t *testing.T) {
	s := policy(t, `
		role r: get pods
		binding a: ClusterRole/r -> User/ann Group/devs
		binding blue/b: ClusterRole/r -> User/ann ServiceAccount/robot
		binding green/c: ClusterRole/r -> User/eve
		binding d: ClusterRole/r -> ServiceAccount/robot
		binding e: ClusterRole/ghost -> User/joe`)
	var got []string
	for _, h := range s.WhoCan(ask("- get pods -n blue")) {
		if h.Subject.Kind == "ServiceAccount" && h.Subject.Namespace != "blue" {
			t.Errorf("%+v has lost its namespace", h.Subject)
		}
		for _, w := range h.Via {
			got = append(got, w.String())
		}
	}
	want := []string{
		`ClusterRoleBinding "a" of ClusterRole "r" to Group "devs", rule 1: get pods`,
		`ClusterRoleBinding "a" of ClusterRole "r" to User "ann", rule 1: get pods`,
		`RoleBinding "b" in namespace "blue" of ClusterRole "r" to User "ann", rule 1: get pods`,
		`RoleBinding "b" in namespace "blue" of ClusterRole "r" to ServiceAccount "robot/blue", rule 1: get pods`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
