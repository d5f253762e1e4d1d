package apiserver

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/apiserver/admission"
	"coracle/apiserver/authz"
	"coracle/apiserver/catalog"
	"coracle/apiserver/decision"
	"coracle/apiserver/fieldowner"
	"coracle/apiserver/openapi"
	"coracle/apiserver/registry"
	"coracle/apiserver/wire"
	"coracle/authn"
	"coracle/rbac"
	"coracle/storage"
	"coracle/storage/bolt"
	"coracle/storage/cache"
)

// everybody is alice, and may do everything.
type everybody struct{}

func (everybody) Name() string { return "everybody" }
func (everybody) Authenticate(context.Context, *authn.Credentials) authn.Answer {
	return authn.Answer{Verdict: authn.Accepted, User: &user.DefaultInfo{Name: "alice"}}
}
func (everybody) Authorize(context.Context, *rbac.Attributes) authz.Answer {
	return authz.Answer{Verdict: authz.Allow, Opinions: []decision.Opinion{{}}}
}
func (everybody) Ask(context.Context, *rbac.Attributes) authz.Answer {
	return authz.Answer{Verdict: authz.Allow, Opinions: []decision.Opinion{{}}}
}
func (everybody) RulesFor(user.Info, string) authz.Rules { return authz.Rules{} }

// serve starts a server with an empty store.
func serve(t testing.TB, plugins ...admission.Plugin) http.Handler {
	t.Helper()
	db, err := bolt.Open(filepath.Join(t.TempDir(), "db"), bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return serveFrom(t, db, plugins...)
}

func serveFrom(t testing.TB, db storage.Store, plugins ...admission.Plugin) http.Handler {
	t.Helper()
	kinds := catalog.New(catalog.Builtin())
	scheme, err := wire.NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	codec := wire.NewCodec(scheme)
	stored, err := cache.New(t.Context(), db, wire.StoredCodec{Codec: codec, New: func(gr schema.GroupResource) runtime.Object {
		if k := kinds.Stored(gr); k != nil {
			return k.New()
		}
		return nil
	}}, cache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{
		Catalog: kinds, Registry: registry.New(stored, kinds, codec), Codec: codec,
		Authn: authn.NewChain(authn.Strategies{Requests: []authn.Authenticator{everybody{}}}), Authz: everybody{},
		Admission: plugins, OpenAPI: openapi.New(kinds, "1.37"), Owners: fieldowner.New(scheme),
		Decisions: decision.NewLog(16), Registerer: prometheus.NewRegistry(), Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: time.Now,
	})
}

// ask sends a request, METHOD PATH, and returns the answer and its body. PATCH+merge says of which type a patch is.
func ask(t *testing.T, h http.Handler, request, body string) (*httptest.ResponseRecorder, map[string]any) {
	t.Helper()
	w := send(t, h, request, body, "")
	var answer map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%s: %v: %s", request, err, w.Body)
	}
	return w, answer
}

// send is ask for an answer that is not JSON, or that is wanted in another form.
func send(t *testing.T, h http.Handler, request, body, accept string) *httptest.ResponseRecorder {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	contentType := "application/json"
	if strings.HasPrefix(method, "PATCH+") {
		contentType = map[string]string{"PATCH+strategic": "application/strategic-merge-patch+json", "PATCH+merge": "application/merge-patch+json", "PATCH+apply": "application/apply-patch+yaml"}[method]
		method = http.MethodPatch
	}
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func base64URL(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

const (
	namespace = `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"blue"}}`
	configMap = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}}`
)

// The sentences are those of kube-apiserver 1.37.
func TestRefusalsAreKubernetes(t *testing.T) {
	h := serve(t)
	for _, made := range [][2]string{
		{"/api/v1/namespaces", namespace},
		{"/api/v1/namespaces/blue/configmaps", configMap},
	} {
		if w, _ := ask(t, h, "POST "+made[0], made[1]); w.Code != http.StatusCreated {
			t.Fatal(w.Body)
		}
	}
	bad := `{"apiVersion":"v1","kind":"Thing","metadata":{"name":"A/b","finalizers":["unqualified"]}}`
	for _, test := range []struct {
		name, request, body string
		code                int
		message             string
	}{
		{"a path that no verb leads to", "GET /api/v1/namespaces/blue/bindings/x", "", 404, "the server could not find the requested resource"},
		{"a verb that a path does not have", "GET /api/v1/namespaces/blue/bindings", "", 405, "the server does not allow this method on the requested resource"},
		{"a watch of what can only be listed", "GET /api/v1/componentstatuses?watch=1", "", 405,
			`watch is not supported on resources of kind "componentstatuses"`},
		{"a component that is not there", "GET /api/v1/componentstatuses/x", "", 404, `componentstatus "x" not found`},
		{"a Binding to nowhere", "POST /api/v1/namespaces/blue/bindings", `{"apiVersion":"v1","kind":"Binding","metadata":{"name":"p"}}`, 500,
			"target.name: Required value"},
		{"a Binding to an odd name", "POST /api/v1/namespaces/blue/pods/p/binding",
			`{"apiVersion":"v1","kind":"Binding","metadata":{"name":"p"},"target":{"kind":"Odd","name":"n"}}`, 500,
			`target.kind: Unsupported value: "Odd": supported values: "Node", "<empty>"`},
		{"a Binding of a pod that is not there", "POST /api/v1/namespaces/blue/bindings",
			`{"apiVersion":"v1","kind":"Binding","metadata":{"name":"p"},"target":{"name":"n"}}`, 404, `pods "p" not found`},
		{"a version that is no number", "PUT /api/v1/namespaces/blue/configmaps/c",
			`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","resourceVersion":"x"}}`, 500, `strconv.ParseUint: parsing "x": invalid syntax`},
		{"a uid of another, in a dry run", "PUT /api/v1/namespaces/blue/configmaps/c?dryRun=All",
			`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","uid":"other"}}`, 409,
			`Operation cannot be fulfilled on configmaps "c": StorageError: invalid object, Code: 4, Key: /configmaps/blue/c, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: other, UID in object meta: UID`},
		{"a deletion of another namespace", "DELETE /api/v1/namespaces/blue", `{"preconditions":{"uid":"other"}}`, 409,
			`Operation cannot be fulfilled on namespaces "blue": Precondition failed: UID in precondition: other, UID in object meta: UID`},
		{"a definition that is applied with what it cannot have", "PATCH+apply /apis/apiextensions.k8s.io/v1/customresourcedefinitions/a.b?fieldManager=m",
			`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"a.b"},"nothing":1}`, 500,
			`failed to create typed patch object (/a.b; apiextensions.k8s.io/v1, Kind=CustomResourceDefinition): .nothing: field not declared in schema`},
		{"a strategic patch of an APIService that is not there", "PATCH+strategic /apis/apiregistration.k8s.io/v1/apiservices/v1.x", `{}`, 404,
			`apiservices.apiregistration.k8s.io "v1.x" not found`},
		{"an update without a version of what is not there", "PUT /apis/storage.k8s.io/v1/csinodes/n",
			`{"apiVersion":"storage.k8s.io/v1","kind":"CSINode","metadata":{"name":"n"},"spec":{"drivers":[]}}`, 404, `csinodes.storage.k8s.io "n" not found`},
		{"a Job is not selected by that", "GET /apis/batch/v1/jobs?fieldSelector=spec.x%3D1", "", 400, `field label "spec.x" not supported for Job`},
		{"a ResourceSlice is not selected by that", "GET /apis/resource.k8s.io/v1/resourceslices?fieldSelector=spec.x%3D1", "", 400,
			`field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: spec.x`},
		{"a ReplicaSet is selected by its name", "GET /apis/apps/v1/replicasets?fieldSelector=status.replicas%3D1", "", 400,
			`"status.replicas" is not a known field selector: only "metadata.name", "metadata.namespace"`},
		{"a budget's name is a segment of a path", "POST /apis/policy/v1/namespaces/blue/poddisruptionbudgets", strings.Replace(bad, `"v1","kind":"Thing"`, `"policy/v1","kind":"PodDisruptionBudget"`, 1), 422,
			`PodDisruptionBudget.policy "A/b" is invalid: metadata.name: Invalid value: "A/b": may not contain '/'`},
		{"an event's name is looked at last", "POST /api/v1/namespaces/blue/events", strings.Replace(bad, "Thing", "Event", 1), 422,
			`Event "A/b" is invalid: involvedObject.namespace: Invalid value: "": does not match event.namespace`},
		{"a directive that nobody knows", "PATCH+strategic /api/v1/namespaces/blue/configmaps/c", `{"$patch":"odd"}`, 500,
			"unknown patch type: odd in map: map[$patch:odd]"},
		{"a strategic patch of the wrong type", "PATCH+strategic /api/v1/namespaces/blue/configmaps/c", `{"data":"text"}`, 422,
			` "" is invalid: patch: Invalid value: "map[data:text]": cannot restore map from string`},
		{"a patch that takes the name away", "PATCH+strategic /api/v1/namespaces/blue/configmaps/c", `{"$patch":"replace"}`, 400,
			"the name of the object (c based on URL) was undeterminable: name must be provided"},
		{"an address is not drawn", "POST /apis/networking.k8s.io/v1/ipaddresses",
			`{"apiVersion":"networking.k8s.io/v1","kind":"IPAddress","metadata":{"generateName":"gen-"},"spec":{"parentRef":{"resource":"services","name":"s","namespace":"n"}}}`, 422,
			`IPAddress.networking.k8s.io "gen-" is invalid: [metadata.generateName: Invalid value: "gen-": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff), metadata.name: Invalid value: "gen-": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, answer := ask(t, h, test.request, test.body)
			message, _ := answer["message"].(string)
			message = uuids.ReplaceAllString(message, "UID")
			if diff := cmp.Diff([]any{test.code, test.message}, []any{w.Code, message}); diff != "" {
				t.Errorf("Kubernetes -, here +:\n%s", diff)
			}
		})
	}
}

var uuids = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

func TestADeletionTellsWhatItLeaves(t *testing.T) {
	h := serve(t)
	ask(t, h, "POST /api/v1/namespaces", namespace)
	const preserved = `299 - "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning"`
	for _, test := range []struct{ name, request, want string }{
		{"a Job leaves its pods", "DELETE /apis/batch/v1/namespaces/blue/jobs/x", preserved},
		{"all Jobs do", "DELETE /apis/batch/v1/namespaces/blue/jobs", preserved},
		{"who says how is not told", "DELETE /apis/batch/v1/namespaces/blue/jobs/x?propagationPolicy=Orphan", ""},
		{"a ReplicationController is silent", "DELETE /api/v1/namespaces/blue/replicationcontrollers/x", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, _ := ask(t, h, test.request, "")
			if got := w.Header().Get("Warning"); got != test.want {
				t.Errorf("warned %q, want %q", got, test.want)
			}
		})
	}
}

func TestWhatADeletionLeavesOnAnObject(t *testing.T) {
	h := serve(t)
	ask(t, h, "POST /api/v1/namespaces", namespace)
	ask(t, h, "POST /api/v1/namespaces/blue/events",
		`{"apiVersion":"v1","kind":"Event","metadata":{"name":"e","finalizers":["example.com/x"]},"involvedObject":{"namespace":"blue"}}`)
	ask(t, h, "POST /api/v1/namespaces", strings.Replace(namespace, `"name":"blue"`, `"name":"red","finalizers":["example.com/x"]`, 1))
	for _, test := range []struct {
		name, request string
		want          []any
	}{
		{"an event has no dependents", "DELETE /api/v1/namespaces/blue/events/e?propagationPolicy=Foreground", []any{"example.com/x"}},
		{"a namespace may wait for its dependents", "DELETE /api/v1/namespaces/red?propagationPolicy=Foreground", []any{"example.com/x", "foregroundDeletion"}},
		{"once it goes that is settled", "DELETE /api/v1/namespaces/red?propagationPolicy=Orphan", []any{"example.com/x", "foregroundDeletion"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, answer := ask(t, h, test.request, "")
			meta, _ := answer["metadata"].(map[string]any)
			if diff := cmp.Diff(test.want, meta["finalizers"]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestADryDeletionOfWhatIsReturnedReturnsItAsItIs(t *testing.T) {
	h := serve(t)
	ask(t, h, "POST /apis/storage.k8s.io/v1/csinodes", `{"apiVersion":"storage.k8s.io/v1","kind":"CSINode","metadata":{"name":"n"},"spec":{"drivers":[]}}`)
	_, answer := ask(t, h, "DELETE /apis/storage.k8s.io/v1/csinodes/n?dryRun=All", "")
	meta, _ := answer["metadata"].(map[string]any)
	if answer["kind"] != "CSINode" || meta["deletionTimestamp"] != nil {
		t.Errorf("answered %v", answer)
	}
}

func TestADeletedPodShowsTheGraceThatItGot(t *testing.T) {
	h := serve(t)
	ask(t, h, "POST /api/v1/namespaces", namespace)
	ask(t, h, "POST /api/v1/namespaces/blue/pods", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i"}]}}`)
	_, answer := ask(t, h, "DELETE /api/v1/namespaces/blue/pods/p?gracePeriodSeconds=0", "")
	meta, _ := answer["metadata"].(map[string]any)
	if meta["deletionTimestamp"] == nil || meta["deletionGracePeriodSeconds"] != 0.0 || meta["generation"] != 2.0 {
		t.Errorf("answered %v", answer)
	}
}

func TestWhoAppliesNothingHasATime(t *testing.T) {
	h := serve(t)
	ask(t, h, "POST /api/v1/namespaces", namespace)
	_, answer := ask(t, h, "PATCH+apply /apis/rbac.authorization.k8s.io/v1/namespaces/blue/roles/r?fieldManager=m",
		`{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"Role","metadata":{"name":"r"},"rules":null}`)
	meta, _ := answer["metadata"].(map[string]any)
	managers, _ := meta["managedFields"].([]any)
	if len(managers) != 1 || managers[0].(map[string]any)["time"] == nil {
		t.Errorf("answered %v", answer)
	}
}

func TestOfNothingThereAreNoItems(t *testing.T) {
	h := serve(t)
	r := httptest.NewRequest(http.MethodGet, "/api/v1/pods", nil)
	r.Header.Set("Accept", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if !strings.Contains(w.Body.String(), `"items":null`) {
		t.Errorf("answered %s", w.Body)
	}
}

// What an update of the status may change of metadata, and what a client may say of the generation.
func TestMetadataThroughTheStatus(t *testing.T) {
	h := serve(t)
	ask(t, h, "POST /api/v1/namespaces", namespace)
	changes := `{"metadata":{"labels":{"a":"b"},"annotations":{"c":"d"},"finalizers":["example.com/x"]}}`
	selected := `"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}`
	for _, test := range []struct {
		name, path, object string
		want               []string // what of these is there afterwards
	}{
		{"of most kinds all", "/apis/apps/v1/namespaces/blue/replicasets", `"apps/v1","kind":"ReplicaSet","metadata":{"name":"x"},` + selected,
			[]string{"annotations", "finalizers", "labels"}},
		{"of a Deployment not the labels", "/apis/apps/v1/namespaces/blue/deployments", `"apps/v1","kind":"Deployment","metadata":{"name":"x"},` + selected,
			[]string{"annotations", "finalizers"}},
		{"of an Ingress all", "/apis/networking.k8s.io/v1/namespaces/blue/ingresses",
			`"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"x"},"spec":{"defaultBackend":{"service":{"name":"s","port":{"number":1}}}}`,
			[]string{"annotations", "finalizers", "labels"}},
		{"of a FlowSchema nothing", "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
			`"flowcontrol.apiserver.k8s.io/v1","kind":"FlowSchema","metadata":{"name":"x"},"spec":{"priorityLevelConfiguration":{"name":"p"},"matchingPrecedence":100}`,
			nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if w, _ := ask(t, h, "POST "+test.path, `{"apiVersion":`+test.object+`}`); w.Code != http.StatusCreated {
				t.Fatal(w.Body)
			}
			w, answer := ask(t, h, "PATCH+merge "+test.path+"/x/status", changes)
			if w.Code != http.StatusOK {
				t.Fatal(w.Body)
			}
			meta, _ := answer["metadata"].(map[string]any)
			var got []string
			for _, name := range []string{"annotations", "finalizers", "labels"} {
				if meta[name] != nil {
					got = append(got, name)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheGenerationOfANewObject(t *testing.T) {
	h := serve(t)
	ask(t, h, "POST /api/v1/namespaces", namespace)
	for _, test := range []struct {
		name, path, object string
		want               any
	}{
		{"the client's, where nobody counts", "/api/v1/namespaces/blue/configmaps", `"v1","kind":"ConfigMap","metadata":{"name":"x","generation":7}`, 7.0},
		{"none, where the client says none", "/api/v1/namespaces/blue/configmaps", `"v1","kind":"ConfigMap","metadata":{"name":"y"}`, nil},
		{"1, where it is counted", "/apis/policy/v1/namespaces/blue/poddisruptionbudgets",
			`"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"x","generation":7},"spec":{}`, 1.0},
		{"1 of a PriorityClass", "/apis/scheduling.k8s.io/v1/priorityclasses",
			`"scheduling.k8s.io/v1","kind":"PriorityClass","metadata":{"name":"x","generation":7},"value":1`, 1.0},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, answer := ask(t, h, "POST "+test.path, `{"apiVersion":`+test.object+`}`)
			meta, _ := answer["metadata"].(map[string]any)
			if diff := cmp.Diff(test.want, meta["generation"]); diff != "" {
				t.Errorf("%s\n%v", diff, answer)
			}
		})
	}
}

func TestANameIsTakenByWhatGoes(t *testing.T) {
	h := serve(t)
	held := `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"held","finalizers":["x.io/a"]}}`
	for _, request := range [][2]string{
		{"POST /api/v1/namespaces", namespace}, {"POST /api/v1/namespaces/blue/configmaps", configMap}, {"POST /api/v1/namespaces/blue/configmaps", held},
		{"DELETE /api/v1/namespaces/blue/configmaps/held", ""},
	} {
		if w, _ := ask(t, h, request[0], request[1]); w.Code >= 300 {
			t.Fatal(w.Body)
		}
	}
	for path, dry := range map[string]bool{"/api/v1/namespaces/blue/configmaps": false, "/api/v1/namespaces/blue/configmaps?dryRun=All": true} {
		for body, want := range map[string]string{
			configMap: `configmaps "c" already exists`, held: `object is being deleted: configmaps "held" already exists`,
		} {
			if w, answer := ask(t, h, "POST "+path, body); w.Code != http.StatusConflict || answer["message"] != want {
				t.Errorf("dry run %v: %d, %v; want %s", dry, w.Code, answer["message"], want)
			}
		}
	}
}
