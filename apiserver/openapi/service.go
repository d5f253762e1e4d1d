package openapi

import (
	"bytes"
	"crypto/sha512"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/NYTimes/gziphandler"
	"github.com/munnerz/goautoneg"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"coracle/apiserver/catalog"
)

// Service serves the documents. Each is built when it is first asked for.
type Service struct {
	catalog *catalog.Catalog
	info    *spec.Info
	marks   string // a hash of what is known of Go types beyond themselves

	mu      sync.Mutex
	current edition

	building  sync.Mutex          // one document at a time
	documents map[string]document // by name and encoding
}

// everything is the name of the document of v2.
const everything = "v2"

// edition is all that there is at one time.
type edition struct {
	generation int64 // of the catalog, or an older one
	kinds      []*catalog.Kind
	chapters   []chapter
	hashes     map[string]string // of the documents, by name
}

// document is one document in one encoding.
type document struct {
	name, hash string // of the edition that it was made for
	bytes      []byte
	etag       string
	made       time.Time
}

// New returns a service for a catalog. version is the API's, as in 1.37.
func New(c *catalog.Catalog, version string) *Service {
	return &Service{
		catalog:   c,
		info:      &spec.Info{InfoProps: spec.InfoProps{Title: "Kubernetes", Version: version}},
		marks:     etag([]byte(marksFile)),
		documents: map[string]document{},
	}
}

// edition returns what there is now.
func (s *Service) edition() edition {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.catalog.Generation(); g != s.current.generation {
		kinds := s.catalog.Kinds()
		s.current = edition{g, kinds, chapters(kinds), map[string]string{everything: fmt.Sprint(g)}}
		for _, c := range s.current.chapters {
			s.current.hashes[c.name] = s.hash(c)
		}
	}
	return s.current
}

// Index serves /openapi/v3: where each chapter's document is. The hash in a document's address changes with its content, so that clients
// can keep it for ever; it is made from the kinds' names and the build, since making the documents only to hash them would take long.
func (s *Service) Index(w http.ResponseWriter, r *http.Request) error {
	type entry struct {
		ServerRelativeURL string `json:"serverRelativeURL"`
	}
	paths := map[string]entry{}
	e := s.edition()
	for _, c := range e.chapters {
		paths[c.name] = entry{address(c.name, e.hashes[c.name])}
	}
	b, err := json.Marshal(map[string]any{"paths": paths})
	if err != nil {
		return err
	}
	// As text, without a tag, and always as new: so does kube-aggregator, to which nothing new is there within the second, however. A
	// client that asks again for a definition of its own, made in between, has to hear of it.
	r = r.Clone(r.Context())
	r.Header.Del("If-Modified-Since")
	http.ServeContent(w, r, "", time.Now(), bytes.NewReader(b))
	return nil
}

func address(name, hash string) string { return "/openapi/v3/" + name + "?hash=" + hash }

// Chapter serves the v3 document of one chapter, named as in api/v1 or apis/apps/v1.
// found is false when nothing of that name is served.
func (s *Service) Chapter(w http.ResponseWriter, r *http.Request, name string) (found bool, err error) {
	e := s.edition()
	at := slices.IndexFunc(e.chapters, func(c chapter) bool { return c.name == name })
	if at < 0 {
		return false, nil
	}
	h := w.Header()
	h.Set("Vary", "Accept")
	media, ok := encoding(r, "com.github.proto-openapi.spec.v3.v1.0+protobuf", "com.github.proto-openapi.spec.v3@v1.0+protobuf")
	if !ok {
		w.WriteHeader(http.StatusNotAcceptable)
		return true, nil
	}
	hash := e.hashes[name]
	h.Set("Content-Type", media)
	h.Set("ETag", `"`+hash+`"`)
	if asked := r.URL.Query().Get("hash"); asked != "" {
		if asked != hash {
			http.Redirect(w, r, address(name, hash), http.StatusMovedPermanently)
			return true, nil
		}
		h.Set("Cache-Control", "public, immutable")
		h.Set("Expires", time.Now().AddDate(1, 0, 0).UTC().Format(http.TimeFormat))
	}
	doc, err := s.document(e, name, media, protobufV3, func() ([]byte, error) {
		var escaped bytes.Buffer
		b, err := v3(e.kinds, e.chapters[at], s.info).MarshalJSON()
		json.HTMLEscape(&escaped, b) // as json.Marshal does, which reads all of it once more
		return escaped.Bytes(), err
	})
	if err != nil {
		return true, err
	}
	http.ServeContent(w, r, "", doc.made, bytes.NewReader(doc.bytes))
	return true, nil
}

// Everything serves /openapi/v2, compressed for who reads gzip.
func (s *Service) Everything(w http.ResponseWriter, r *http.Request) (err error) {
	gziphandler.GzipHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { err = s.everything(w, r) })).ServeHTTP(w, r)
	return err
}

func (s *Service) everything(w http.ResponseWriter, r *http.Request) error {
	w.Header().Add("Vary", "Accept")
	media, ok := encoding(r, "com.github.proto-openapi.spec.v2.v1.0+protobuf", "com.github.proto-openapi.spec.v2@v1.0+protobuf")
	if !ok {
		w.WriteHeader(http.StatusNotAcceptable)
		return nil
	}
	e := s.edition()
	doc, err := s.document(e, everything, media, protobufV2, func() ([]byte, error) {
		doc, err := v2(e.kinds, s.info)
		if err != nil {
			return nil, err
		}
		return doc.MarshalJSON()
	})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", media)
	w.Header().Set("ETag", `"`+doc.etag+`"`)
	http.ServeContent(w, r, "", doc.made, bytes.NewReader(doc.bytes))
	return nil
}

// document returns a document of an edition in an encoding, made now if it is not there yet.
func (s *Service) document(e edition, name, media string, proto func([]byte) ([]byte, error), build func() ([]byte, error)) (document, error) {
	s.building.Lock()
	defer s.building.Unlock()
	if doc := s.documents[name+" "+media]; doc.bytes != nil && doc.hash == e.hashes[name] {
		return doc, nil
	}
	b, err := build()
	tag := etag(b) // of JSON for all: what they say is the same
	if err == nil && media != "application/json" {
		b, err = proto(b)
	}
	if err != nil {
		return document{}, err
	}
	maps.DeleteFunc(s.documents, func(_ string, d document) bool { return d.hash != e.hashes[d.name] })
	doc := document{name, e.hashes[name], bytes.Clone(b), tag, time.Now()} // bytes without room to spare
	s.documents[name+" "+media] = doc
	return doc, nil
}

// encoding picks JSON or protobuf, by either of the names that its media type has had.
func encoding(r *http.Request, proto ...string) (string, bool) {
	accept := r.Header.Get("Accept")
	if accept == "" {
		accept = "*/*"
	}
	for _, clause := range goautoneg.ParseAccept(accept) {
		switch {
		case clause.Type != "application" && clause.Type != "*":
		case clause.SubType == "json" || clause.SubType == "*":
			return "application/json", true
		case slices.Contains(proto, clause.SubType):
			return "application/" + proto[0], true
		}
	}
	return "", false
}

func (s *Service) hash(c chapter) string {
	h := sha512.New()
	fmt.Fprintln(h, s.info.Version, s.marks, c.name)
	for _, k := range c.kinds {
		fmt.Fprintln(h, k.Kind, k.Resource, k.Namespaced, k.AllVerbs(), k.SchemaHash)
		for _, sub := range k.Subresources {
			fmt.Fprintln(h, sub.Name, sub.Verbs)
		}
	}
	return fmt.Sprintf("%X", h.Sum(nil))
}

func etag(b []byte) string { return fmt.Sprintf("%X", sha512.Sum512(b)) }
