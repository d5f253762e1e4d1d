package apiserver

import (
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"
	"github.com/munnerz/goautoneg"
	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coracle/apiserver/catalog"
	"coracle/apiserver/discovery"
	"coracle/apiserver/wire"
)

const aggregatedForm = ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

// legacyAPI serves /api: the core group's versions, or all about them.
func (s *Server) legacyAPI(w http.ResponseWriter, r *http.Request) error {
	if media := wantsAggregated(r); media != "" {
		return s.aggregated(w, r, media, true)
	}
	host := r.Host
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		host = a.String()
	}
	return s.document(w, r, &metav1.APIVersions{
		TypeMeta: metav1.TypeMeta{Kind: "APIVersions"},
		Versions: []string{"v1"},
		ServerAddressByClientCIDRs: []metav1.ServerAddressByClientCIDR{
			{ClientCIDR: "0.0.0.0/0", ServerAddress: host},
		},
	}, wire.Offer{})
}

// groups serves /apis: the other groups, or all about them.
func (s *Server) groups(w http.ResponseWriter, r *http.Request) error {
	if media := wantsAggregated(r); media != "" {
		return s.aggregated(w, r, media, false)
	}
	return s.document(w, r, discovery.Groups(s.Catalog.Kinds()), wire.Offer{Direct: true})
}

// group serves /apis/GROUP.
func (s *Server) group(w http.ResponseWriter, r *http.Request) error {
	g := discovery.Group(s.Catalog.Kinds(), mux.Vars(r)["group"])
	if g == nil || g.Name == "" {
		notFound(w, r)
		return nil
	}
	return s.document(w, r, g, wire.Offer{Direct: true})
}

// resources serves /api/VERSION and /apis/GROUP/VERSION; those of custom resources by any method, as upstream does.
func (s *Server) resources(w http.ResponseWriter, r *http.Request) error {
	gv := schema.GroupVersion{Group: mux.Vars(r)["group"], Version: mux.Vars(r)["version"]}
	custom := func(k *catalog.Kind) bool { return k.Custom != nil && k.GroupVersion() == gv }
	if r.Method != http.MethodGet && !slices.ContainsFunc(s.Catalog.Kinds(), custom) {
		return methodNotAllowed()
	}
	l := discovery.Resources(s.Catalog.Kinds(), gv)
	if l == nil || gv.Group == "" && strings.HasPrefix(r.URL.Path, "/apis/") {
		return s.notServed(w, r, gv.Group)
	}
	return s.document(w, r, l, wire.Offer{})
}

// document answers with a discovery document, all clients alike.
func (s *Server) document(w http.ResponseWriter, r *http.Request, obj runtime.Object, o wire.Offer) error {
	f, err := wire.Negotiate(r, o)
	if err != nil {
		return err
	}
	s.send(w, f, http.StatusOK, obj)
	return nil
}

// aggregated answers with everything in one document; a client that has it already is told so.
func (s *Server) aggregated(w http.ResponseWriter, r *http.Request, media string, core bool) error {
	doc := discovery.Aggregated(s.Catalog.Kinds(), core)
	etag, err := discovery.ETag(doc)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Vary", "Accept")
	h.Set("ETag", etag)
	h.Set("Cache-Control", "public")
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	f, _ := wire.Negotiate(r, wire.Offer{})
	f = wire.Format{Media: media, Pretty: f.Pretty}
	b, err := s.Codec.Encode(doc, f)
	if err != nil {
		return err
	}
	h.Set("Content-Type", media+aggregatedForm)
	w.Write(b)
	return nil
}

// wantsAggregated is the media type that a client wants everything in, or "". Media-type parameters are compared, not strings:
// clients add others, such as profile.
func wantsAggregated(r *http.Request) string {
	for _, clause := range goautoneg.ParseAccept(strings.Join(r.Header.Values("Accept"), ",")) {
		p, media := clause.Params, clause.Type+"/"+clause.SubType
		if media != wire.JSON && media != wire.YAML && media != wire.Protobuf {
			continue
		}
		if p["as"] == "APIGroupDiscoveryList" && p["g"] == apidiscoveryv2.GroupName && p["v"] == "v2" {
			return media
		}
		if p["as"] == "" {
			return "" // preferred over what follows
		}
	}
	return ""
}
