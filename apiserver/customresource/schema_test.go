package customresource

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"coracle/apiserver/openapi"
	"coracle/storage/cache"
)

// Two definitions of one group, with all that a schema can say, make the documents that kube-apiserver 1.37.2 makes of them: the
// hashes are those of its own, fields in order. Which fields differ tells `make oracle`, whose corpus has the same definitions.
func TestDocumentsAreKubernetes(t *testing.T) {
	kinds, s, d := serve(t)
	b, err := os.ReadFile("testdata/definitions.json")
	if err != nil {
		t.Fatal(err)
	}
	var definitions []*apiextensionsv1.CustomResourceDefinition
	if err := json.Unmarshal(b, &definitions); err != nil {
		t.Fatal(err)
	}
	for _, crd := range definitions {
		s.tell(t, cache.Added, accepting(d, crd))
	}
	service := openapi.New(kinds, "1.37")
	for name, want := range map[string]string{
		"apis/abc.example.com/v1":       "d3ee7bbc81a868bc70a56f3cb79efab06f934cd8f6b04b4768508a75075b4be9",
		"apis/abc.example.com/v1alpha1": "9461af258f330a81fb7cb827753cb1f0a62b7860e463db917561857f68c4f0b5",
		"v2":                            "febe00ce533b2a753cc516b1c9ae25d0255667113da03b0b14d316f3da10ecef",
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
		if name == "v2" {
			err = service.Everything(w, r)
		} else if found, failed := service.Chapter(w, r, name); !found || failed != nil {
			t.Fatal(name, found, failed)
		}
		if err != nil {
			t.Fatal(err)
		}
		var document any
		if err := json.Unmarshal(w.Body.Bytes(), &document); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(b)); got != want {
			t.Errorf("%s is not what kube-apiserver serves: its hash is %s, want %s", name, got, want)
		}
	}
	if found, err := service.Chapter(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil), "apis/abc.example.com"); found || err != nil {
		t.Errorf("a group of custom kinds has a document of its own (%v), which it has not in Kubernetes", err)
	}
}

// A document is made anew when what it is about has changed, and its address changes with it; others stay as they are.
func TestDocumentsFollowDefinitions(t *testing.T) {
	kinds, s, d := serve(t)
	service := openapi.New(kinds, "1.37")
	get := func(name string) (body, etag string) {
		t.Helper()
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
		found, err := true, error(nil)
		if name == "v2" {
			err = service.Everything(w, r)
		} else {
			found, err = service.Chapter(w, r, name)
		}
		if err != nil {
			t.Fatal(err)
		}
		if !found {
			return "", ""
		}
		return w.Body.String(), w.Header().Get("ETag")
	}
	const version, core = "apis/example.com/v1", "api/v1"
	_, before := get(core)
	as, bs := accepting(d, definitionOf("as", "example.com", "v1")), accepting(d, definitionOf("bs", "example.com", "v1"))
	s.tell(t, cache.Added, as)
	one, oneTag := get(version)
	s.tell(t, cache.Added, bs)
	two, twoTag := get(version)
	if strings.Contains(one, "/bs") || !strings.Contains(two, "/bs") || oneTag == twoTag {
		t.Errorf("the second definition is not seen: %s, then %s", oneTag, twoTag)
	}
	if v2, _ := get("v2"); !strings.Contains(v2, "/apis/example.com/v1/namespaces/{namespace}/bs") {
		t.Error("nor is it in v2")
	}
	s.tell(t, cache.Deleted, bs)
	if again, tag := get(version); again != one || tag != oneTag {
		t.Errorf("once it is gone the document is %s, want %s", tag, oneTag)
	}
	wide := accepting(d, definitionOf("as", "example.com", "v1"))
	wide.Spec.Scope = apiextensionsv1.ClusterScoped
	s.tell(t, cache.Deleted, as)
	if gone, _ := get(version); gone != "" {
		t.Error("a document of nothing is served")
	}
	s.tell(t, cache.Added, wide)
	if doc, tag := get(version); strings.Contains(doc, "/namespaces/{namespace}/as") || tag == oneTag {
		t.Errorf("the definition of another scope has the document of the first, %s", tag)
	}
	if _, after := get(core); after != before {
		t.Errorf("the tag of %s was %s, and is %s", core, before, after)
	}
}
