package apiserver

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What the comparison with a real kube-apiserver (e2e/oracle) has found once. The answers are its own.

// made puts objects into an empty server, METHOD PATH and a body each, and returns it.
func made(t *testing.T, requests ...[2]string) http.Handler {
	t.Helper()
	h := serve(t)
	for _, r := range append([][2]string{{"POST /api/v1/namespaces", namespace}}, requests...) {
		if w, _ := ask(t, h, r[0], r[1]); w.Code >= 300 {
			t.Fatalf("%s: %d: %s", r[0], w.Code, w.Body)
		}
	}
	return h
}

func TestRecordedRefusals(t *testing.T) {
	const maps, map1 = "/api/v1/namespaces/blue/configmaps", "/api/v1/namespaces/blue/configmaps/c"
	token := func(json string) string { return "?continue=" + base64URL(json) }
	h := made(t, [2]string{"POST " + maps, configMap}, [2]string{"POST /api/v1/namespaces/blue/services", `{"apiVersion":"v1","kind":"Service","metadata":{"name":"s"},"spec":{"ports":[{"port":80}]}}`})
	for name, test := range map[string]struct {
		request, body string
		code          int
		message       string
	}{
		"a name that no path can have":       {"GET " + maps + "/%2e%2e", "", 400, `Name parameter invalid: "..": may not be '..'`},
		"a name with a percent sign":         {"GET " + maps + "/a%25", "", 400, `Name parameter invalid: "a%": may not contain '%'`},
		"a timeout that is none":             {"GET " + map1 + "?timeout=abc", "", 400, `invalid timeout specified in the request URL - time: invalid duration "abc"`},
		"a collection of all namespaces":     {"DELETE /api/v1/configmaps", "", 405, "the server does not allow this method on the requested resource"},
		"a POST to a watch":                  {"POST /api/v1/watch/namespaces/blue/configmaps", "{}", 405, "the server does not allow this method on the requested resource"},
		"a POST to discovery":                {"POST /api/v1", "", 405, "the server does not allow this method on the requested resource"},
		"a PUT to the version":               {"PUT /version", "", 405, "the server does not allow this method on the requested resource"},
		"a continue token of another form":   {"GET " + maps + token(`{"v":"meta.k8s.io/v2","rv":5,"start":"a"}`), "", 400, "invalid continue token: continue key is not valid: server does not recognize this encoded version meta.k8s.io/v2"},
		"a continue token that goes up":      {"GET " + maps + token(`{"v":"meta.k8s.io/v1","rv":5,"start":"../x"}`), "", 400, "invalid continue token: continue key is not valid: ../x"},
		"a watch that goes on as a list":     {"GET " + maps + "?watch=1&continue=abc", "", 422, `ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided`},
		"a watch as a table of nothing":      {"GET " + maps + "?watch=1&includeObject=Some", "table", 400, "Unable to convert to Table as requested: includeObject: Invalid value: \"Some\": must be 'Metadata', 'Object', 'None', or empty"},
		"a patch that is no JSON":            {"PATCH+merge " + map1, "{", 400, "invalid JSON patch"},
		"a deep patch":                       {"PATCH+strategic " + map1, strings.Repeat("[", 20000), 400, "invalid JSON patch"},
		"a merge patch that is a list":       {"PATCH+merge " + map1, "[]", 400, "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"},
		"a strategic patch that is a list":   {"PATCH+strategic " + map1, "[]", 400, "json: cannot unmarshal array into Go value of type map[string]interface {}"},
		"a patch of nothing":                 {"PATCH+merge " + maps + "/nothing", "[]", 404, `configmaps "nothing" not found`},
		"a bomb that is applied":             {"PATCH+apply " + map1 + "?fieldManager=m", bomb(), 400, "error encoding patch: yaml: document contains excessive aliasing"},
		"fields twice in a merge patch":      {"PATCH+merge " + map1 + "?fieldValidation=Strict", `{"data":{"x":"y","x":"z"},"nothing":1}`, 422, `strict decoding error: duplicate field "data.x", unknown field "nothing"`},
		"fields twice in a strategic patch":  {"PATCH+strategic " + map1 + "?fieldValidation=Strict", `{"data":{"x":"y","x":"z"},"nothing":1}`, 422, ` "" is invalid: patch: Invalid value: "map[data:map[x:z] nothing:1]": strict decoding error: duplicate field "data.x", unknown field "nothing"`},
		"fields twice in what is applied":    {"PATCH+apply " + map1 + "?fieldManager=m&fieldValidation=Strict", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"x":"y","x":"z"}}`, 400, `line 1: key "x" already set in map`},
		"another uid in a patch":             {"PATCH+merge " + map1, `{"metadata":{"uid":"x"}}`, 422, `ConfigMap "c" is invalid: metadata.uid: Invalid value: "x": field is immutable`},
		"what is applied has to have a name": {"PATCH+apply " + maps + "/new?fieldManager=m", `{"apiVersion":"v1","kind":"ConfigMap"}`, 400, "the name of the object (new based on URL) was undeterminable: name must be provided"},
		"a key that is a mapping": {"PATCH+strategic /api/v1/namespaces/blue/services/s", `{"spec":{"ports":[{"port":{"a":1}}]}}`,
			400, "the patch cannot be merged: what an item of a list is known by has to be a string or a number, not a mapping or a list"},
		"a job of negative size": {"POST /apis/batch/v1/namespaces/blue/jobs", `{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"a"},"spec":{"completionMode":"Indexed","completions":-1,"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"i"}]}}}}`,
			422, `Job.batch "a" is invalid: spec.completions: Invalid value: -1: must be greater than or equal to 0`},
		"a port that is a list, applied": {"PATCH+apply /api/v1/namespaces/blue/services/t?fieldManager=m", `{"apiVersion":"v1","kind":"Service","metadata":{"name":"t"},"spec":{"ports":[{"port":80,"targetPort":[1]}]}}`,
			500, "failed to convert new object (/t; /v1, Kind=Service) to proper version: unable to convert unstructured object to /v1, Kind=Service: json: cannot unmarshal array into Go value of type int32"},
		"another kind of another group": {"POST " + maps, `{"apiVersion":"apps/v1","kind":"Deployment"}`, 400, `Deployment in version "v1" cannot be handled as a ConfigMap: converting (v1.Deployment) to (core.ConfigMap): unknown conversion`},
	} {
		t.Run(name, func(t *testing.T) {
			accept := ""
			if test.body == "table" {
				test.body, accept = "", "application/json;as=Table;v=v1;g=meta.k8s.io"
			}
			w := send(t, h, test.request, test.body, accept)
			var status struct{ Message string }
			if err := json.Unmarshal(w.Body.Bytes(), &status); err != nil {
				t.Fatal(err)
			}
			if w.Code != test.code || !strings.HasSuffix(status.Message, test.message) {
				t.Errorf("%d %s\nwant %d %s", w.Code, status.Message, test.code, test.message)
			}
		})
	}
}

// bomb would be 9^9 strings.
func bomb() string {
	var b strings.Builder
	b.WriteString("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  a: &a [l,l,l,l,l,l,l,l,l]\n")
	for c := 'b'; c <= 'i'; c++ {
		fmt.Fprintf(&b, "  %c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 9), ","))
	}
	return b.String()
}

func TestRecordedWarnings(t *testing.T) {
	const map1 = "/api/v1/namespaces/blue/configmaps/c"
	h := made(t, [2]string{"POST /api/v1/namespaces/blue/configmaps", configMap})
	for name, test := range map[string]struct {
		request, body string
		want          []string
	}{
		"of a merge patch":   {"PATCH+merge " + map1, `{"data":{"x":"y","x":"z"},"nothing":1}`, []string{`duplicate field "data.x"`, `unknown field "nothing"`}},
		"of what is applied": {"PATCH+apply " + map1 + "?fieldManager=m&force=true", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"x":"y","x":"z"}}`, []string{`line 1: key "x" already set in map`}},
		"of a refused apply": {"PATCH+apply " + map1 + "?fieldManager=m&force=true", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"x":"y","x":"z"},"nothing":1}`, nil},
		"of nobody's choice": {"PATCH+merge " + map1 + "?fieldValidation=Ignore", `{"data":{"x":"y","x":"z"},"nothing":1}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var want []string
			for _, text := range test.want {
				want = append(want, `299 - "`+strings.ReplaceAll(text, `"`, `\"`)+`"`)
			}
			w := send(t, h, test.request, test.body, "")
			if diff := cmp.Diff(want, w.Header().Values("Warning")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// event is what a test wants to see of one.
type event struct{ Type, Name, Data, End string }

func TestRecordedWatches(t *testing.T) {
	const maps = "/api/v1/namespaces/blue/configmaps"
	labelled := func(name, app string) string {
		return fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q,"labels":{"app":%q}},"data":{"app":%q}}`, name, app, app)
	}
	h := made(t)
	_, before := ask(t, h, "GET "+maps, "")
	start := before["metadata"].(map[string]any)["resourceVersion"].(string)
	for _, r := range [][2]string{
		{"POST " + maps, labelled("a", "web")}, {"POST " + maps, labelled("b", "db")},
		{"PATCH+merge " + maps + "/a", `{"metadata":{"labels":{"app":"db"}},"data":{"app":"db"}}`},
		{"DELETE " + maps + "/b", ""},
	} {
		if w, _ := ask(t, h, r[0], r[1]); w.Code >= 300 {
			t.Fatal(w.Body)
		}
	}
	for name, test := range map[string]struct {
		query string
		want  []event
	}{
		"who leaves is told of as it was":            {"resourceVersion=" + start + "&labelSelector=app=web", []event{{Type: "ADDED", Name: "a", Data: "web"}, {Type: "DELETED", Name: "a", Data: "web"}}},
		"who comes is told of as new":                {"resourceVersion=" + start + "&labelSelector=app=db", []event{{Type: "ADDED", Name: "b", Data: "db"}, {Type: "ADDED", Name: "a", Data: "db"}, {Type: "DELETED", Name: "b", Data: "db"}}},
		"without bookmarks there is no end":          {"sendInitialEvents=true&resourceVersionMatch=NotOlderThan", []event{{Type: "ADDED", Name: "a", Data: "db"}}},
		"with bookmarks there is":                    {"sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true", []event{{Type: "ADDED", Name: "a", Data: "db"}, {Type: "BOOKMARK", End: "true"}}},
		"even where it was not asked for":            {"allowWatchBookmarks=true", []event{{Type: "ADDED", Name: "a", Data: "db"}, {Type: "BOOKMARK", End: "true"}}},
		"what is not wanted is not sent":             {"sendInitialEvents=false&resourceVersionMatch=NotOlderThan", nil},
		"nothing comes before a version that is not": {"resourceVersion=900000", nil},
		"a form that an event cannot have":           {"as=list&resourceVersion=" + start, nil},
	} {
		t.Run(name, func(t *testing.T) {
			accept := ""
			if strings.HasPrefix(test.query, "as=list") {
				accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
			}
			w := send(t, h, "GET "+maps+"?watch=1&timeoutSeconds=1&"+test.query, "", accept)
			if diff := cmp.Diff(test.want, events(t, w)); diff != "" || w.Code != http.StatusOK {
				t.Errorf("%d, events (-want +got):\n%s", w.Code, diff)
			}
		})
	}
}

func TestAWatchFromAVersionToComeLeavesOutWhatIsBeforeIt(t *testing.T) {
	const maps = "/api/v1/namespaces/blue/configmaps"
	named := func(name string) string { return strings.Replace(configMap, `"c"`, fmt.Sprintf("%q", name), 1) }
	h := made(t)
	_, before := ask(t, h, "GET "+maps, "")
	now, err := strconv.Atoi(before["metadata"].(map[string]any)["resourceVersion"].(string))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan *httptest.ResponseRecorder)
	go func() {
		done <- send(t, h, fmt.Sprintf("GET %s?watch=1&timeoutSeconds=1&resourceVersion=%d", maps, now+1), "", "")
	}()
	time.Sleep(200 * time.Millisecond) // the watch has begun, or begins with what comes now: the same is told
	for _, name := range []string{"first", "second"} {
		if w, _ := ask(t, h, "POST "+maps, named(name)); w.Code != http.StatusCreated {
			t.Fatal(w.Body)
		}
	}
	if diff := cmp.Diff([]event{{Type: "ADDED", Name: "second"}}, events(t, <-done)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func events(t *testing.T, w *httptest.ResponseRecorder) (all []event) {
	t.Helper()
	for lines := bufio.NewScanner(w.Body); lines.Scan(); {
		var e struct {
			Type   string
			Object struct {
				Metadata struct {
					Name        string
					Annotations map[string]string
				}
				Data map[string]string
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		m := e.Object.Metadata
		all = append(all, event{e.Type, m.Name, e.Object.Data["app"], m.Annotations["k8s.io/initial-events-end"]})
	}
	return all
}

func TestALimitIsNoneForAnyVersion(t *testing.T) {
	const maps = "/api/v1/namespaces/blue/configmaps"
	h := made(t, [2]string{"POST " + maps, configMap}, [2]string{"POST " + maps, strings.Replace(configMap, `"c"`, `"d"`, 1)})
	for query, want := range map[string]int{"?limit=1": 1, "?limit=1&resourceVersion=0": 2} {
		_, list := ask(t, h, "GET "+maps+query, "")
		if got := len(list["items"].([]any)); got != want {
			t.Errorf("%s: %d items, want %d", query, got, want)
		}
	}
}

func TestTheVersionOfATable(t *testing.T) {
	h := made(t)
	for _, version := range []string{"v1", "v1beta1"} {
		for _, as := range []string{"Table", "PartialObjectMetadataList"} {
			w := send(t, h, "GET /api/v1/namespaces", "", "application/json;as="+as+";g=meta.k8s.io;v="+version)
			if want := `"apiVersion":"meta.k8s.io/` + version; strings.Count(w.Body.String(), want) != 2 || w.Code != http.StatusOK {
				t.Errorf("%s %s: %d %s", as, version, w.Code, w.Body)
			}
		}
	}
}

func TestACollectionIsReturnedAsItWas(t *testing.T) {
	const maps = "/api/v1/namespaces/blue/configmaps"
	h := made(t, [2]string{"POST " + maps, configMap})
	_, list := ask(t, h, "DELETE "+maps+"?propagationPolicy=Foreground", "")
	m := list["items"].([]any)[0].(map[string]any)["metadata"].(map[string]any)
	if m["deletionTimestamp"] != nil || m["finalizers"] != nil {
		t.Errorf("the collection shows its deletion: %v", m)
	}
	if _, left := ask(t, h, "GET "+maps+"/c", ""); left["metadata"].(map[string]any)["deletionTimestamp"] == nil {
		t.Errorf("it is not being deleted: %v", left)
	}
}

func TestABindingBelongsToNobody(t *testing.T) {
	const pods = "/api/v1/namespaces/blue/pods"
	h := made(t, [2]string{"POST " + pods, `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i"}]}}`})
	bind := func() *httptest.ResponseRecorder {
		return send(t, h, "POST "+pods+"/p/binding", `{"apiVersion":"v1","kind":"Binding","metadata":{"name":"p","labels":{"zone":"z"}},"target":{"kind":"Node","name":"n"}}`, "")
	}
	if w := bind(); w.Code != http.StatusCreated {
		t.Fatal(w.Body)
	}
	if w := bind(); !strings.Contains(w.Body.String(), `Operation cannot be fulfilled on pods/binding \"p\": pod p is already assigned to node \"n\"`) {
		t.Errorf("bound again: %s", w.Body)
	}
	_, pod := ask(t, h, "GET "+pods+"/p", "")
	m := pod["metadata"].(map[string]any)
	got := map[string]any{"generation": m["generation"], "labels": m["labels"], "owners": float64(len(m["managedFields"].([]any)))}
	want := map[string]any{"generation": 1.0, "labels": map[string]any{"zone": "z"}, "owners": 1.0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAutoscalersAreOwnedInBothVersions(t *testing.T) {
	at := func(v, manager string) string {
		return "/apis/autoscaling/" + v + "/namespaces/blue/horizontalpodautoscalers/h?fieldManager=" + manager
	}
	hpa := func(v, spec string) string {
		return fmt.Sprintf(`{"apiVersion":"autoscaling/%s","kind":"HorizontalPodAutoscaler","metadata":{"name":"h"},"spec":%s}`, v, spec)
	}
	h := made(t, [2]string{"PATCH+apply " + at("v2", "two"), hpa("v2", `{"maxReplicas":3,"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"d"},"metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":50}}}]}`)})
	w, status := ask(t, h, "PATCH+apply "+at("v1", "one"), hpa("v1", `{"maxReplicas":5,"targetCPUUtilizationPercentage":60}`))
	want := "Apply failed with 2 conflicts: conflicts with \"two\":\n- .spec.maxReplicas\n- .spec.metrics"
	if w.Code != http.StatusConflict || status["message"] != want {
		t.Errorf("%d %v\nwant %s", w.Code, status["message"], want)
	}
}

func TestMetadataAloneIsWithoutWhatStandsForFields(t *testing.T) {
	const sets = "/apis/apps/v1/namespaces/blue/daemonsets"
	const set = `{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{"name":"d","annotations":{"mine":"x"}},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}`
	h := made(t, [2]string{"POST " + sets, set})
	for accept, there := range map[string]bool{
		"application/json": true,
		"application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1": false,
		"application/json;as=Table;g=meta.k8s.io;v=v1":                 false,
	} {
		w := send(t, h, "GET "+sets+"/d", "", accept)
		if body := w.Body.String(); strings.Contains(body, `"deprecated.daemonset.template.generation":"`) != there || !strings.Contains(body, `"mine":"x"`) {
			t.Errorf("%s: %s", accept, body)
		}
	}
	if _, again := ask(t, h, "GET "+sets+"/d", ""); len(again["metadata"].(map[string]any)["annotations"].(map[string]any)) != 2 {
		t.Errorf("it is gone from the object: %v", again)
	}
}

func TestABookmarkIsAnObjectOfNothing(t *testing.T) {
	h := made(t)
	for resource, want := range map[string]string{
		"/apis/apps/v1/deployments": `"spec":{"replicas":0,`, "/apis/apps/v1/statefulsets": `"spec":{"replicas":0,`, "/apis/apps/v1/replicasets": `"spec":{"replicas":0,`,
		"/apis/apps/v1/daemonsets": `"annotations":{"deprecated.daemonset.template.generation":"0","k8s.io/initial-events-end":"true"}`,
	} {
		w := send(t, h, "GET "+resource+"?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1", "", "")
		if body := w.Body.String(); !strings.Contains(body, `"type":"BOOKMARK"`) || !strings.Contains(body, want) {
			t.Errorf("%s: %s, want %s", resource, body, want)
		}
	}
}

func TestAFaultOfADefinitionIsToldAsOftenAsItIsFound(t *testing.T) {
	const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
	h := made(t, [2]string{"POST " + definitions, `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"its.example.com"},"spec":{"group":"example.com","scope":"Namespaced","names":{"plural":"its","singular":"it","kind":"It","listKind":"ItList"},"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object"}}}]}}`})
	_, refused := ask(t, h, "PATCH+merge "+definitions+"/its.example.com", `{"metadata":{"labels":{"a":"not good"}}}`)
	if causes := refused["details"].(map[string]any)["causes"].([]any); len(causes) != 3 || strings.Count(refused["message"].(string), "not good") != 1 {
		t.Errorf("want three causes in one sentence: %v", refused)
	}
	_, refused = ask(t, h, "PATCH+merge "+definitions+"/its.example.com", `{"spec":{"group":"example.org","versions":[{"name":"v2","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object"}}}]},"status":{"storedVersions":["v1"]}}`)
	var fields []string
	for _, cause := range refused["details"].(map[string]any)["causes"].([]any) {
		fields = append(fields, cause.(map[string]any)["field"].(string))
	}
	if diff := cmp.Diff([]string{"spec.group", "status.storedVersions[0]"}, fields); diff != "" {
		t.Errorf("in the order of kube-apiserver (-want +got):\n%s", diff)
	}
}
