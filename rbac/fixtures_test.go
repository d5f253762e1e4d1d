package rbac

import (
	"bufio"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
)

// policy builds a snapshot from lines, so that tests can show what they are about:
//
//	role blue/reader: get,list pods; get apps:deployments/scale =web,db; get /healthz
//	binding blue/ann-reads: Role/reader -> User/ann Group/devs ServiceAccount/blue:robot
//
// Without a namespace they are a ClusterRole and a ClusterRoleBinding.
func policy(t testing.TB, lines string) *Snapshot {
	t.Helper()
	s := newSnapshot()
	for in := bufio.NewScanner(strings.NewReader(lines)); in.Scan(); {
		if line := strings.TrimSpace(in.Text()); line != "" {
			s = s.With(object(t, line))
		}
	}
	return s
}

func object(t testing.TB, line string) runtime.Object {
	t.Helper()
	head, body, ok := strings.Cut(line, ": ")
	if !ok {
		head = strings.TrimSuffix(line, ":")
	}
	kind, name, _ := strings.Cut(head, " ")
	meta := metav1.ObjectMeta{Name: name}
	if ns, n, namespaced := strings.Cut(name, "/"); namespaced {
		meta.Namespace, meta.Name = ns, n
	}
	switch kind {
	case "role":
		r := &Role{Namespace: meta.Namespace, Name: meta.Name}
		for _, rule := range strings.Split(body, ";") {
			if words := strings.Fields(rule); len(words) > 0 {
				r.Rules = append(r.Rules, ruleOf(words))
			}
		}
		return r.Object()
	case "binding":
		ref, who, _ := strings.Cut(body, " -> ")
		kind, role, _ := strings.Cut(ref, "/")
		b := &Binding{Namespace: meta.Namespace, Name: meta.Name, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: role}}
		for _, subject := range strings.Fields(who) {
			kind, name, _ := strings.Cut(subject, "/")
			s := rbacv1.Subject{Kind: kind, Name: name, APIGroup: rbacv1.GroupName}
			if kind == "ServiceAccount" {
				s.APIGroup = ""
				if ns, n, ok := strings.Cut(name, ":"); ok {
					s.Namespace, s.Name = ns, n
				}
			}
			b.Subjects = append(b.Subjects, s)
		}
		return b.Object()
	}
	t.Fatalf("what is %q?", line)
	return nil
}

func ruleOf(words []string) rbacv1.PolicyRule {
	rule := rbacv1.PolicyRule{Verbs: strings.Split(words[0], ",")}
	if strings.HasPrefix(words[1], "/") {
		rule.NonResourceURLs = strings.Split(words[1], ",")
		return rule
	}
	group, resources, ok := strings.Cut(words[1], ":")
	if !ok {
		group, resources = "", words[1]
	}
	rule.APIGroups, rule.Resources = strings.Split(group, ","), strings.Split(resources, ",")
	if len(words) > 2 {
		rule.ResourceNames = strings.Split(strings.TrimPrefix(words[2], "="), ",")
	}
	return rule
}

// ask builds a request from `ann get apps:deployments/scale web -n blue` or `ann get /healthz`.
func ask(line string) *Attributes {
	words := strings.Fields(line)
	a := &Attributes{User: userOf(words[0]), Verb: words[1]}
	if strings.HasPrefix(words[2], "/") {
		a.Path = words[2]
		return a
	}
	a.ResourceRequest, a.APIVersion = true, "v1"
	resource := words[2]
	if group, rest, ok := strings.Cut(resource, ":"); ok {
		a.APIGroup, resource = group, rest
	}
	a.Resource, a.Subresource, _ = strings.Cut(resource, "/")
	for i := 3; i < len(words); i++ {
		if words[i] == "-n" {
			i++
			a.Namespace = words[i]
		} else {
			a.Name = words[i]
		}
	}
	return a
}

// userOf reads ann, ann+devs+ops (with groups) or blue:robot (a service account).
func userOf(word string) user.Info {
	names := strings.Split(word, "+")
	if ns, name, ok := strings.Cut(names[0], ":"); ok {
		names[0] = "system:serviceaccount:" + ns + ":" + name
	}
	return &user.DefaultInfo{Name: names[0], Groups: names[1:]}
}

type labelled interface{ SetLabels(map[string]string) }

func gatherFrom(label string) *rbacv1.AggregationRule {
	return &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{MatchLabels: map[string]string{label: "true"}}}}
}
