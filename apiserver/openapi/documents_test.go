package openapi_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/kube-openapi/pkg/handler"
	"k8s.io/kube-openapi/pkg/handler3"

	"coracle/apiserver/catalog"
	"coracle/apiserver/openapi"
)

// get asks for a document, by the name that the index has for it, or for the index.
func get(t *testing.T, service *openapi.Service, name string) map[string]any {
	t.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
	found, err := true, error(nil)
	switch name {
	case "":
		err = service.Index(w, r)
	case "v2":
		err = service.Everything(w, r)
	default:
		found, err = service.Chapter(w, r, name)
	}
	if !found || err != nil {
		t.Fatal(name, found, err)
	}
	var document map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	return document
}

// The hashes are those of the documents of kube-apiserver 1.37.2, every path, parameter, schema and description of them; `compare
// -documents` of e2e/oracle writes them. Which of these differs tells `make oracle`.
func TestDocumentsAreKubernetes(t *testing.T) {
	f, err := os.Open("testdata/documents.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	service := openapi.New(catalog.New(catalog.Builtin()), "1.37")
	listed := get(t, service, "")["paths"].(map[string]any)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		hash, name, _ := strings.Cut(lines.Text(), " ")
		b, err := json.Marshal(get(t, service, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(b)); got != hash {
			t.Errorf("%s is not what kube-apiserver serves: its hash is %s, want %s", name, got, hash)
		}
		if name != "v2" && listed[name] == nil {
			t.Errorf("%s is not in the index", name)
		}
		delete(listed, name)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if len(listed) > 0 {
		t.Errorf("kube-apiserver has no documents %v", listed)
	}
}

// What generated clients call their functions.
func TestOperations(t *testing.T) {
	type operation struct {
		OperationID string   `json:"operationId"`
		Tags        []string `json:"tags"`
		Description string   `json:"description"`
		Action      string   `json:"x-kubernetes-action"`
	}
	service := openapi.New(catalog.New(catalog.Builtin()), "1.37")
	for path, test := range map[string]struct {
		document, method string
		want             operation
	}{
		"/api/v1/namespaces/{namespace}/pods/{name}/log": {"api/v1", "get", operation{
			"readCoreV1NamespacedPodLog", []string{"core_v1"}, "read log of the specified Pod", "get"}},
		"/api/v1/namespaces/{namespace}/pods/{name}/eviction": {"api/v1", "post", operation{
			"createCoreV1NamespacedPodEviction", []string{"core_v1"}, "create eviction of a Pod", "post"}},
		"/api/v1/namespaces/{namespace}/services/{name}/proxy/{path}": {"api/v1", "options", operation{
			"connectCoreV1OptionsNamespacedServiceProxyWithPath", []string{"core_v1"}, "connect OPTIONS requests to proxy of Service", "connect"}},
		"/api/v1/watch/pods": {"api/v1", "get", operation{
			"watchCoreV1PodListForAllNamespaces", []string{"core_v1"},
			"watch individual changes to a list of Pod. deprecated: use the 'watch' parameter with a list operation instead.", "watchlist"}},
		"/apis/rbac.authorization.k8s.io/v1/clusterroles": {"apis/rbac.authorization.k8s.io/v1", "delete", operation{
			"deleteRbacAuthorizationV1CollectionClusterRole", []string{"rbacAuthorization_v1"}, "delete collection of ClusterRole", "deletecollection"}},
		"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses/{name}/status": {"apis/networking.k8s.io/v1", "patch", operation{
			"patchNetworkingV1NamespacedIngressStatus", []string{"networking_v1"}, "partially update status of the specified Ingress", "patch"}},
		"/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale": {"apis/apps/v1", "put", operation{
			"replaceAppsV1NamespacedDeploymentScale", []string{"apps_v1"}, "replace scale of the specified Deployment", "put"}},
		"/apis/apps/": {"apis/apps", "get", operation{"getAppsAPIGroup", []string{"apps"}, "get information of a group", ""}},
	} {
		t.Run(path, func(t *testing.T) {
			paths := get(t, service, test.document)["paths"].(map[string]any)
			b, err := json.Marshal(paths[path].(map[string]any)[test.method])
			if err != nil {
				t.Fatal(err)
			}
			var got operation
			if err := json.Unmarshal(b, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Clients read the protobuf form by descriptors of fields, and caches by bytes: it is what kube-openapi makes of the JSON.
func TestProtobufIsKubernetes(t *testing.T) {
	service := openapi.New(catalog.New(catalog.Builtin()), "1.37")
	for name, test := range map[string]struct {
		media string
		of    func([]byte) ([]byte, error)
	}{
		"v2":                           {"application/com.github.proto-openapi.spec.v2.v1.0+protobuf", handler.ToProtoBinary},
		"api/v1":                       {"application/com.github.proto-openapi.spec.v3.v1.0+protobuf", handler3.ToV3ProtoBinary},
		"version":                      {"application/com.github.proto-openapi.spec.v3.v1.0+protobuf", handler3.ToV3ProtoBinary},
		"apis/apiextensions.k8s.io/v1": {"application/com.github.proto-openapi.spec.v3.v1.0+protobuf", handler3.ToV3ProtoBinary},
	} {
		t.Run(name, func(t *testing.T) {
			ask := func(media string) []byte {
				w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
				r.Header.Set("Accept", media)
				found, err := true, error(nil)
				if name == "v2" {
					err = service.Everything(w, r)
				} else {
					found, err = service.Chapter(w, r, name)
				}
				if !found || err != nil || w.Header().Get("Content-Type") != media {
					t.Fatal(found, err, w.Header())
				}
				return w.Body.Bytes()
			}
			want, err := test.of(ask("application/json"))
			if err != nil {
				t.Fatal(err)
			}
			if got := ask(test.media); !bytes.Equal(got, want) {
				t.Errorf("%d bytes, want %d others", len(got), len(want))
			}
		})
	}
}
