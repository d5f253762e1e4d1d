package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// randomRequests returns requests about Pods, RBAC, workloads, Services and NetworkPolicies, and their patches: what is valid, and
// what is slightly broken. The same seed makes the same requests.
func randomRequests(n int, seed uint64) []request {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0)), made: map[string]map[string]any{}}
	all := []request{
		{title: "namespace", method: "POST", path: "/api/v1/namespaces", body: `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"{ns}"}}`},
		{title: "account", method: "POST", path: "/api/v1/namespaces/{ns}/serviceaccounts", body: `{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"default"}}`},
	}
	for i := range n {
		r := g.request()
		r.title = fmt.Sprintf("random %d of seed %d", i, seed)
		all = append(all, r)
	}
	return append(all, request{title: "delete namespace", method: "DELETE", path: "/api/v1/namespaces/{ns}"})
}

type generator struct {
	*rand.Rand
	made map[string]map[string]any // by path, as it was sent
}

// sample is a kind that requests are made about.
type sample struct {
	path   string
	object func(*generator) map[string]any
}

func samples() []sample {
	const rbac, ns = "/apis/rbac.authorization.k8s.io/v1", "/namespaces/{ns}"
	return []sample{
		{"/api/v1/namespaces/{ns}/pods", (*generator).pod},
		{"/api/v1/namespaces/{ns}/pods", (*generator).pod}, // twice as often
		{rbac + "/namespaces/{ns}/roles", func(g *generator) map[string]any { return g.role("Role") }},
		{rbac + "/clusterroles", func(g *generator) map[string]any { return g.role("ClusterRole") }},
		{rbac + "/namespaces/{ns}/rolebindings", func(g *generator) map[string]any { return g.binding("RoleBinding") }},
		{rbac + "/clusterrolebindings", func(g *generator) map[string]any { return g.binding("ClusterRoleBinding") }},
		{"/apis/apps/v1" + ns + "/deployments", (*generator).deployment},
		{"/apis/apps/v1" + ns + "/statefulsets", (*generator).statefulSet},
		{"/apis/apps/v1" + ns + "/daemonsets", (*generator).daemonSet},
		{"/apis/batch/v1" + ns + "/jobs", (*generator).job},
		{"/apis/batch/v1" + ns + "/cronjobs", (*generator).cronJob},
		{"/api/v1" + ns + "/services", (*generator).service},
		{"/apis/networking.k8s.io/v1" + ns + "/networkpolicies", (*generator).networkPolicy},
	}
}

func (g *generator) request() request {
	s := pick(g, samples()...)
	name := fmt.Sprintf("{ns}-%d", g.IntN(6))
	at := s.path + "/" + name
	object := s.object(g)
	object["metadata"].(map[string]any)["name"] = name
	manager := "fieldManager=" + pick(g, "one", "two", "three")
	if g.IntN(4) == 0 {
		manager += "&dryRun=All"
	}
	if g.IntN(6) == 0 {
		manager += "&fieldValidation=" + pick(g, "Strict", "Warn", "Ignore")
	}
	known, there := g.made[at]
	switch {
	case !there && g.IntN(10) > 0 || g.IntN(8) == 0:
		if g.IntN(3) == 0 {
			g.damage(object)
		} else if !there {
			g.made[at] = object
		}
		return request{method: "POST", path: s.path + "?" + manager, body: text(object)}
	case g.IntN(12) == 0:
		delete(g.made, at)
		return request{method: "DELETE", path: at + "?gracePeriodSeconds=0"}
	case g.IntN(8) == 0:
		return request{method: "GET", path: at}
	case g.IntN(5) == 0:
		if g.IntN(2) == 0 {
			g.damage(object)
		}
		return request{method: "PUT", path: at + "?" + manager, body: text(object)}
	}
	if known == nil {
		known = object
	}
	switch g.IntN(4) {
	case 0:
		return patch(at, manager, "json-patch+json", g.operations(known))
	case 1:
		return patch(at, manager, "merge-patch+json", g.part(known, object, false))
	case 2:
		return patch(at, manager, "strategic-merge-patch+json", g.part(known, object, true))
	}
	applied := g.part(object, object, false).(map[string]any)
	applied["apiVersion"], applied["kind"] = object["apiVersion"], object["kind"]
	meta, _ := applied["metadata"].(map[string]any)
	if meta == nil {
		meta = map[string]any{}
	}
	meta["name"], applied["metadata"] = name, meta
	if g.IntN(2) == 0 {
		manager += "&force=true"
	}
	return patch(at, manager, "apply-patch+yaml", applied)
}

func patch(at, query, form string, body any) request {
	return request{method: "PATCH", path: at + "?" + query, headers: [][2]string{{"Content-Type", "application/" + form}}, body: text(body)}
}

func (g *generator) metadata() map[string]any {
	meta := map[string]any{}
	for _, field := range []string{"labels", "annotations"} {
		if g.IntN(2) == 0 {
			values := map[string]any{}
			for range 1 + g.IntN(3) {
				values[pick(g, "app", "tier", "example.com/x")] = pick(g, "", "a", "b")
			}
			meta[field] = values
		}
	}
	return meta
}

func (g *generator) pod() map[string]any {
	spec := map[string]any{"containers": g.containers(1 + g.IntN(3))}
	maps.Copy(spec, map[string]any{
		"initContainers":                g.containers(1),
		"restartPolicy":                 pick(g, "Always", "OnFailure", "Never"),
		"terminationGracePeriodSeconds": g.IntN(60),
		"nodeSelector":                  map[string]any{"disk": pick(g, "ssd", "hdd")},
		"tolerations":                   []any{map[string]any{"key": "k", "operator": pick(g, "Exists", "Equal"), "effect": pick(g, "NoSchedule", "NoExecute", "")}},
		"hostNetwork":                   g.IntN(2) == 0,
		"securityContext":               map[string]any{"runAsUser": g.IntN(2000), "runAsNonRoot": g.IntN(2) == 0, "fsGroup": g.IntN(9)},
		"volumes":                       []any{map[string]any{"name": "v", pick(g, "emptyDir", "configMap", "secret"): map[string]any{}}, map[string]any{"name": "w"}},
		"activeDeadlineSeconds":         g.IntN(3),
		"hostAliases":                   []any{map[string]any{"ip": pick(g, "10.0.0.1", "x"), "hostnames": []any{"a"}}},
		"dnsPolicy":                     pick(g, "Default", "ClusterFirst", "None"),
		"schedulingGates":               []any{map[string]any{"name": "example.com/gate"}},
		"topologySpreadConstraints":     []any{map[string]any{"maxSkew": g.IntN(3), "topologyKey": "zone", "whenUnsatisfiable": pick(g, "DoNotSchedule", "ScheduleAnyway")}},
	})
	for _, name := range slices.Sorted(maps.Keys(spec)) { // in an order that does not change
		if name != "containers" && g.IntN(5) > 0 {
			delete(spec, name)
		}
	}
	return map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": g.metadata(), "spec": spec}
}

func (g *generator) containers(n int) []any {
	var all []any
	for i := range n {
		c := map[string]any{"name": fmt.Sprintf("c%d", i), "image": pick(g, "nginx", "busybox:1", "registry.example.com/a/b:v2")}
		for _, field := range []struct {
			name  string
			value any
		}{
			{"command", []any{"sh", "-c", "true"}},
			{"env", []any{map[string]any{"name": "A", "value": pick(g, "1", "2")}, map[string]any{"name": pick(g, "B", "A"), "value": ""}}},
			{"ports", []any{map[string]any{"containerPort": 1 + g.IntN(70000), "protocol": pick(g, "TCP", "UDP")}}},
			{"resources", map[string]any{"requests": map[string]any{"cpu": pick(g, "100m", "1"), "memory": "1Mi"}, "limits": map[string]any{"cpu": pick(g, "500m", "1")}}},
			{"imagePullPolicy", pick(g, "Always", "Never", "IfNotPresent")},
			{"livenessProbe", map[string]any{pick(g, "httpGet", "tcpSocket"): map[string]any{"port": 1 + g.IntN(9)}, "periodSeconds": g.IntN(4)}},
			{"volumeMounts", []any{map[string]any{"name": pick(g, "v", "w"), "mountPath": pick(g, "/a", "/b")}}},
			{"securityContext", map[string]any{"privileged": g.IntN(2) == 0, "capabilities": map[string]any{"add": []any{"NET_ADMIN"}}}},
		} {
			if g.IntN(5) == 0 {
				c[field.name] = field.value
			}
		}
		all = append(all, c)
	}
	return all
}

func (g *generator) role(kind string) map[string]any {
	var rules []any
	for range g.IntN(3) {
		rule := map[string]any{"verbs": []any{pick(g, "get", "list", "*")}, "apiGroups": []any{pick(g, "", "apps", "*")}, "resources": []any{pick(g, "pods", "pods/log", "*")}}
		if g.IntN(4) == 0 {
			rule["resourceNames"] = []any{"a"}
		}
		if g.IntN(6) == 0 {
			rule = map[string]any{"verbs": []any{"get"}, "nonResourceURLs": []any{pick(g, "/healthz", "/a/*", "*")}}
		}
		rules = append(rules, rule)
	}
	return map[string]any{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": g.metadata(), "rules": rules}
}

func (g *generator) binding(kind string) map[string]any {
	var subjects []any
	for range g.IntN(3) {
		subject := map[string]any{"kind": pick(g, "User", "Group", "ServiceAccount"), "name": pick(g, "a", "b", "system:x")}
		if g.IntN(2) == 0 {
			subject["namespace"] = "default"
		}
		if g.IntN(4) == 0 {
			subject["apiGroup"] = pick(g, "", "rbac.authorization.k8s.io")
		}
		subjects = append(subjects, subject)
	}
	ref := map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": pick(g, "ClusterRole", "ClusterRole", "Role"), "name": pick(g, "view", "edit")}
	return map[string]any{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": g.metadata(), "roleRef": ref, "subjects": subjects}
}

// odd is what fits in few places.
func (g *generator) odd() any {
	return pick[any](g, nil, "", "Not A Name", "a/b", -1, 70000, 1.5, true, "x", []any{}, map[string]any{}, map[string]any{"nothing": 1}, strings.Repeat("a", 70))
}

// damage puts something odd into one place of an object.
func (g *generator) damage(object map[string]any) {
	places := placesOf(object, nil)
	place := pick(g, places...)
	if g.IntN(5) == 0 {
		place = append(slices.Clone(place), "nothing")
	}
	set(object, place, g.odd()) // a place that is none leaves the object as it is
}

// placesOf are the paths to everything in v but its kind.
func placesOf(v any, at []string) [][]string {
	var places [][]string
	below := func(name string, v any) {
		place := append(slices.Clone(at), name)
		places = append(append(places, place), placesOf(v, place)...)
	}
	switch x := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(x)) {
			if k != "kind" && k != "apiVersion" && k != "name" {
				below(k, x[k])
			}
		}
	case []any:
		for i, v := range x {
			below(fmt.Sprint(i), v)
		}
	}
	return places
}

// operations are a JSON patch.
func (g *generator) operations(object map[string]any) []any {
	var ops []any
	places := placesOf(object, nil)
	pointer := func() string {
		place := pick(g, places...)
		if g.IntN(6) == 0 {
			place = append(slices.Clone(place), pick(g, "-", "nothing", "0"))
		}
		escaped := strings.NewReplacer("~", "~0", "/", "~1")
		var b strings.Builder
		for _, word := range place {
			b.WriteString("/" + escaped.Replace(word))
		}
		return b.String()
	}
	for range 1 + g.IntN(3) {
		op := map[string]any{"op": pick(g, "add", "add", "replace", "remove", "test", "copy", "move"), "path": pointer()}
		switch op["op"] {
		case "add", "replace", "test":
			op["value"] = pick(g, g.odd(), any("a"), any(map[string]any{"a": "b"}))
		case "copy", "move":
			op["from"] = pointer()
		}
		ops = append(ops, op)
	}
	return ops
}

// part is a patch that changes what is in v here and there into what other has, or into something odd.
func (g *generator) part(v, other any, strategic bool) any {
	switch x := v.(type) {
	case map[string]any:
		others, _ := other.(map[string]any)
		out := map[string]any{}
		for _, k := range slices.Sorted(maps.Keys(x)) {
			switch {
			case k == "name":
				out[k] = x[k]
			case k == "kind" || k == "apiVersion" || g.IntN(3) == 0:
			case g.IntN(20) == 0:
				out[k] = g.odd()
			case others[k] != nil:
				out[k] = g.part(x[k], others[k], strategic)
			case g.IntN(3) == 0:
				out[k] = nil
			}
		}
		if strategic && g.IntN(25) == 0 {
			out["$patch"] = pick(g, "replace", "delete", "merge", "odd")
		}
		return out
	case []any:
		others, _ := other.([]any)
		var out []any
		for i, v := range x {
			if i < len(others) {
				v = g.part(v, others[i], strategic)
			}
			out = append(out, v)
		}
		return out
	}
	return other
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }
