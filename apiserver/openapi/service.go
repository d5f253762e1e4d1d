package openapi

import (
	"bytes"
	"crypto/sha512"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/munnerz/goautoneg"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kube-openapi/pkg/handler"
	"k8s.io/kube-openapi/pkg/handler3"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"coracle/apiserver/catalog"
)

// Service serves the documents. Each is built when it is first asked for.
type Service struct {
	catalog *catalog.Catalog
	info    *spec.Info
	built   time.Time
	marks   string // a hash of what is known of Go types beyond themselves

	mu         sync.Mutex
	generation int64 // of the catalog that the documents below were made from
	documents  map[string]document
}

// document is one document in one encoding.
type document struct {
	bytes []byte
	etag  string
}

// New returns a service for a catalog. version is the API's, as in v1.37.
func New(c *catalog.Catalog, version string) *Service {
	return &Service{
		catalog:   c,
		info:      &spec.Info{InfoProps: spec.InfoProps{Title: "Kubernetes", Version: version}},
		built:     time.Now(),
		marks:     etag([]byte(marksFile)),
		documents: map[string]document{},
	}
}

// Index serves /openapi/v3: where each group and version's document is. The hash in a document's address
// changes with its content, so that clients can keep it for ever; it is made from the kinds' names and the
// build, since making the documents only to hash them would take long.
func (s *Service) Index(w http.ResponseWriter, r *http.Request) error {
	type entry struct {
		ServerRelativeURL string `json:"serverRelativeURL"`
	}
	paths := map[string]entry{}
	for _, gv := range s.versions() {
		name := pathOf(gv)
		paths[name] = entry{fmt.Sprintf("/openapi/v3/%s?hash=%s", name, s.hash(gv))}
	}
	b, err := json.Marshal(map[string]any{"paths": paths})
	if err != nil {
		return err
	}
	w.Header().Set("Vary", "Accept")
	s.send(w, r, "application/json", document{b, etag(b)})
	return nil
}

// Version serves the v3 document of one group and version, named as in api/v1 or apis/apps/v1.
// found is false when nothing of that name is served.
func (s *Service) Version(w http.ResponseWriter, r *http.Request, name string) (found bool, err error) {
	for _, gv := range s.versions() {
		if pathOf(gv) != name {
			continue
		}
		w.Header().Set("Vary", "Accept")
		media, ok := encoding(r, "com.github.proto-openapi.spec.v3.v1.0+protobuf", "com.github.proto-openapi.spec.v3@v1.0+protobuf")
		if !ok {
			w.WriteHeader(http.StatusNotAcceptable)
			return true, nil
		}
		doc, err := s.document(name, media, func() ([]byte, error) {
			return json.Marshal(v3(s.catalog.Kinds(), gv, s.info))
		}, handler3.ToV3ProtoBinary)
		if err != nil {
			return true, err
		}
		if asked := r.URL.Query().Get("hash"); asked != "" {
			if asked != s.hash(gv) {
				w.Header().Set("Content-Type", media)
				w.Header().Set("ETag", `"`+doc.etag+`"`)
				http.Redirect(w, r, fmt.Sprintf("/openapi/v3/%s?hash=%s", name, s.hash(gv)), http.StatusMovedPermanently)
				return true, nil
			}
			w.Header().Set("Cache-Control", "public, immutable")
			w.Header().Set("Expires", time.Now().Add(365*24*time.Hour).UTC().Format(http.TimeFormat))
		}
		s.send(w, r, media, doc)
		return true, nil
	}
	return false, nil
}

// Everything serves /openapi/v2.
func (s *Service) Everything(w http.ResponseWriter, r *http.Request) error {
	w.Header()["Vary"] = []string{"Accept-Encoding", "Accept"}
	media, ok := encoding(r, "com.github.proto-openapi.spec.v2.v1.0+protobuf", "com.github.proto-openapi.spec.v2@v1.0+protobuf")
	if !ok {
		w.WriteHeader(http.StatusNotAcceptable)
		return nil
	}
	doc, err := s.document("v2", media, func() ([]byte, error) {
		return json.Marshal(v2(s.catalog.Kinds(), s.versions(), s.info))
	}, handler.ToProtoBinary)
	if err != nil {
		return err
	}
	s.send(w, r, media, doc)
	return nil
}

// document returns a document in an encoding, made now if it is not there yet.
func (s *Service) document(name, media string, build func() ([]byte, error), proto func([]byte) ([]byte, error)) (document, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.catalog.Generation(); g != s.generation {
		s.generation = g
		clear(s.documents)
	}
	key := name + " " + media
	if doc, ok := s.documents[key]; ok {
		return doc, nil
	}
	b, err := build()
	if err == nil && media != "application/json" {
		b, err = proto(b)
	}
	if err != nil {
		return document{}, err
	}
	doc := document{b, etag(b)}
	s.documents[key] = doc
	return doc, nil
}

func (s *Service) send(w http.ResponseWriter, r *http.Request, media string, doc document) {
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("ETag", `"`+doc.etag+`"`)
	http.ServeContent(w, r, "", s.built, bytes.NewReader(doc.bytes))
}

// encoding picks JSON or protobuf, by either of the names that its media type has had.
func encoding(r *http.Request, proto ...string) (string, bool) {
	accept := strings.Join(r.Header.Values("Accept"), ",")
	if accept == "" {
		return "application/json", true
	}
	for _, clause := range goautoneg.ParseAccept(accept) {
		switch {
		case clause.Type == "*", clause.Type == "application" && (clause.SubType == "*" || clause.SubType == "json"):
			return "application/json", true
		case clause.Type == "application" && (clause.SubType == proto[0] || clause.SubType == proto[1]):
			return "application/" + proto[0], true
		}
	}
	return "", false
}

func (s *Service) versions() []schema.GroupVersion {
	var gvs []schema.GroupVersion
	seen := map[schema.GroupVersion]bool{}
	for _, k := range s.catalog.Kinds() {
		if gv := k.GroupVersion(); !seen[gv] {
			seen[gv] = true
			gvs = append(gvs, gv)
		}
	}
	return gvs
}

func pathOf(gv schema.GroupVersion) string {
	if gv.Group == "" {
		return "api/" + gv.Version
	}
	return "apis/" + gv.String()
}

func (s *Service) hash(gv schema.GroupVersion) string {
	h := sha512.New512_256()
	fmt.Fprintln(h, s.info.Version, s.marks, gv)
	for _, k := range s.catalog.Kinds() {
		if k.GroupVersion() == gv {
			fmt.Fprintln(h, k.Kind, k.Resource, k.AllVerbs(), k.SchemaHash)
			for _, sub := range k.Subresources {
				fmt.Fprintln(h, sub.Name, sub.Verbs)
			}
		}
	}
	return fmt.Sprintf("%X", h.Sum(nil))
}

func etag(b []byte) string { return fmt.Sprintf("%X", sha512.Sum512_256(b)) }
