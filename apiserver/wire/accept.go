package wire

import (
	"net/http"
	"slices"
	"strings"

	"github.com/munnerz/goautoneg"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The media types that are read and written.
const (
	JSON     = "application/json"
	YAML     = "application/yaml"
	Protobuf = "application/vnd.kubernetes.protobuf"
)

// Format is what a client wants back.
type Format struct {
	Media  string // JSON, YAML or Protobuf
	As     string // "", Table, PartialObjectMetadata or PartialObjectMetadataList
	Meta   string // the version of meta.k8s.io that As is of: v1 or v1beta1
	Pretty bool
	Gzip   bool // the client reads gzip; whether it is worth it is the server's to say
}

// MetaVersion is the apiVersion of what As names.
func (f Format) MetaVersion() string {
	if f.Meta == "" {
		return metav1.SchemeGroupVersion.String()
	}
	return metav1.GroupName + "/" + f.Meta
}

// Offer says what an endpoint can answer besides the object itself.
type Offer struct {
	Table   bool
	Partial bool // PartialObjectMetadata and its list
	// JSONOnly: there is no protobuf form, as with custom resources.
	JSONOnly bool
	// Watch: the endpoint's path serves watches too.
	Watch bool
	// Direct: no route of upstream's looks at the Accept header before the handler does. That is so of custom resources
	// and of the lists of groups, and decides the words of a refusal.
	Direct bool
}

// Negotiate picks the first acceptable clause of the Accept header.
// Source: k8s.io/apiserver/pkg/endpoints/handlers/negotiation.
func Negotiate(r *http.Request, o Offer) (Format, error) {
	f := Format{Media: JSON, Pretty: pretty(r), Gzip: readsGzip(r)}
	header := strings.Join(r.Header.Values("Accept"), ",")
	if header == "" {
		return f, nil
	}
	clauses := goautoneg.ParseAccept(header)
	if !o.Direct && !slices.ContainsFunc(clauses, routed) {
		return f, NotRouted(http.StatusNotAcceptable, "406: Not Acceptable\n\nAvailable representations: "+representations(o))
	}
	for _, clause := range clauses {
		media, ok := mediaType(clause, o)
		if !ok {
			continue
		}
		as := clause.Params["as"]
		if as != "" && !convertible(clause, media, o) {
			continue
		}
		f.Media, f.As, f.Meta = media, as, clause.Params["v"]
		if p, ok := clause.Params["pretty"]; ok {
			f.Pretty = p == "1"
		}
		return f, nil
	}
	return f, notAcceptable(mediaTypes(o))
}

// readsGzip follows upstream, which looks for the word and leaves weights alone.
func readsGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		if strings.TrimSpace(coding) == "gzip" {
			return true
		}
	}
	return false
}

// routed tells whether upstream's router lets a clause through: it knows whole types and */*, but not application/*.
func routed(clause goautoneg.Accept) bool {
	_, known := mediaType(clause, Offer{})
	return known && (clause.Type == "*" || clause.SubType != "*")
}

func mediaType(clause goautoneg.Accept, o Offer) (string, bool) {
	switch {
	case clause.Type == "*" && clause.SubType == "*", clause.Type == "application" && clause.SubType == "*":
		return JSON, true
	case clause.Type != "application":
		return "", false
	}
	switch clause.SubType {
	case "json":
		return JSON, true
	case "yaml":
		return YAML, true
	case "vnd.kubernetes.protobuf":
		return Protobuf, !o.JSONOnly
	}
	return "", false
}

func convertible(clause goautoneg.Accept, media string, o Offer) bool {
	if g, v := clause.Params["g"], clause.Params["v"]; g != metav1.GroupName || (v != "v1" && v != "v1beta1") {
		return false
	}
	switch clause.Params["as"] {
	case "Table":
		return o.Table && media != Protobuf
	case "PartialObjectMetadata", "PartialObjectMetadataList":
		return o.Partial
	}
	return false
}

// pretty follows upstream: when asked for, and for the tools that people read answers with.
func pretty(r *http.Request) bool {
	if p := r.URL.Query().Get("pretty"); r.URL.RawQuery != "" && p != "" {
		return p == "1" || p == "true"
	}
	agent := r.UserAgent()
	return strings.HasPrefix(agent, "curl") || strings.HasPrefix(agent, "Wget") || strings.HasPrefix(agent, "Mozilla/5.0")
}

func mediaTypes(o Offer) string {
	if o.JSONOnly {
		return JSON + ", " + YAML
	}
	return JSON + ", " + YAML + ", " + Protobuf
}

// representations is the list that upstream's router gives of what a path can answer.
func representations(o Offer) string {
	if o.Watch {
		return mediaTypes(o) + ", " + streamTypes
	}
	return mediaTypes(o)
}

const streamTypes = JSON + ";stream=watch, " + Protobuf + ";stream=watch"

// NoStream is the refusal of a watch in a form that has no stream, such as YAML.
func NoStream(o Offer) error {
	if o.JSONOnly {
		return notAcceptable(JSON + ";stream=watch")
	}
	return notAcceptable(streamTypes)
}

// NotRouted is the refusal of a request that upstream's router turns away, with its empty details.
func NotRouted(code int32, message string) error {
	reason := metav1.StatusReasonNotAcceptable
	if code == http.StatusUnsupportedMediaType {
		reason = metav1.StatusReasonUnsupportedMediaType
	}
	return &statusError{metav1.Status{
		Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message, Details: &metav1.StatusDetails{},
	}}
}

func notAcceptable(types string) error {
	return &statusError{metav1.Status{
		Status:  metav1.StatusFailure,
		Code:    http.StatusNotAcceptable,
		Reason:  metav1.StatusReasonNotAcceptable,
		Message: "only the following media types are accepted: " + types,
	}}
}

func unsupportedMediaType(o Offer) error {
	return &statusError{metav1.Status{
		Status:  metav1.StatusFailure,
		Code:    http.StatusUnsupportedMediaType,
		Reason:  metav1.StatusReasonUnsupportedMediaType,
		Message: "the body of the request was in an unknown format - accepted media types include: " + mediaTypes(o),
	}}
}

// statusError is an error that is a Status already: api/errors.APIStatus.
type statusError struct{ status metav1.Status }

func (e *statusError) Error() string         { return e.status.Message }
func (e *statusError) Status() metav1.Status { return e.status }
