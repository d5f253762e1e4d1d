package wire

import (
	"bytes"
	stdjson "encoding/json"
	"fmt"
	"io"
	"mime"
	"reflect"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"coracle/apiserver/wire/typedjson"
)

// Codec reads and writes objects of the kinds in one scheme, and of kinds that have no Go type.
type Codec struct {
	Scheme       *runtime.Scheme
	typed        typedjson.Codec
	json         *json.Serializer
	strictJSON   *json.Serializer
	carefulJSON  *json.Serializer
	yaml         *json.Serializer
	strictYAML   *json.Serializer
	protobuf     *protobuf.Serializer
	protobufBare *protobuf.RawSerializer
}

// NewCodec returns a codec for a scheme's kinds.
func NewCodec(s *runtime.Scheme) *Codec {
	serializer := func(o json.SerializerOptions) *json.Serializer {
		var kinds json.MetaFactory = interpreter{}
		if o.Yaml {
			kinds = json.DefaultMetaFactory
		}
		return json.NewSerializerWithOptions(kinds, s, s, o)
	}
	return &Codec{
		Scheme:       s,
		json:         serializer(json.SerializerOptions{}),
		strictJSON:   serializer(json.SerializerOptions{Strict: true}),
		carefulJSON:  json.NewSerializerWithOptions(json.DefaultMetaFactory, s, s, json.SerializerOptions{}),
		yaml:         serializer(json.SerializerOptions{Yaml: true}),
		strictYAML:   serializer(json.SerializerOptions{Yaml: true, Strict: true}),
		protobuf:     protobuf.NewSerializer(s, s),
		protobufBare: protobuf.NewRawSerializer(s, s),
	}
}

// Strictness says what happens to fields that a kind does not have, or that are given twice.
type Strictness string

// The values of the fieldValidation parameter.
const (
	Ignore Strictness = "Ignore"
	Warn   Strictness = "Warn"
	Strict Strictness = "Strict"
)

// Body is what a client sent.
type Body struct {
	Bytes       []byte
	ContentType string
}

// Coerce brings a decoded object of a kind that has no Go type into its schema's form, and returns the paths of the
// fields that the schema does not know if they are to be reported.
type Coerce func(obj runtime.Object, report bool) (unknown []string, err error)

// Decode reads a body into an object of the kind wanted, and returns warnings for the client.
// All errors are Status errors: 400 for what cannot be understood, 415 for an unknown media type.
func (c *Codec) Decode(b Body, want schema.GroupVersionKind, into runtime.Object, s Strictness, coerce Coerce) ([]string, error) {
	var decoder runtime.Decoder
	media, err := JSON, error(nil)
	if b.ContentType != "" && b.ContentType != JSON {
		media, _, err = mime.ParseMediaType(b.ContentType)
	}
	switch {
	case err != nil:
		return nil, unsupportedMediaType(Offer{})
	case media == JSON && s == Ignore:
		decoder = c.json
	case media == JSON:
		decoder = c.strictJSON
	case media == YAML && s == Ignore:
		decoder = c.yaml
	case media == YAML:
		decoder = c.strictYAML
	case media == Protobuf && c.Scheme.Recognizes(want):
		decoder = c.protobuf
	default:
		return nil, unsupportedMediaType(Offer{JSONOnly: !c.Scheme.Recognizes(want)})
	}

	of := into
	if coerce != nil {
		of = nil
	}
	if err := check(b.Bytes, media, of); err != nil {
		return nil, err
	}
	if coerce == nil && media == JSON && c.decodeTyped(b.Bytes, want, into) {
		into.GetObjectKind().SetGroupVersionKind(want)
		return nil, nil
	}
	obj, got, err := decoder.Decode(b.Bytes, &want, into)
	var wrong []error
	if err != nil {
		strict, isStrict := runtime.AsStrictDecodingError(err)
		if !isStrict && media == JSON { // the careful one words what is wrong
			if _, as, worded := c.carefulJSON.Decode(b.Bytes, &want, into); worded != nil {
				got, err = as, worded
			}
		}
		if !isStrict || obj == nil {
			return nil, decodeError(err, want, got, b.Bytes)
		}
		wrong = strict.Errors()
	}
	if coerce != nil && *got == want {
		unknown, err := coerce(into, s != Ignore)
		if err != nil {
			return nil, decodeError(err, want, got, b.Bytes)
		}
		for _, path := range unknown {
			wrong = append(wrong, fmt.Errorf("unknown field %q", path))
		}
	}
	if s == Strict && len(wrong) > 0 {
		return nil, decodeError(runtime.NewStrictDecodingError(wrong), want, got, b.Bytes)
	}
	if coerce == nil && (got.Kind != want.Kind || hub(got.Group) != hub(want.Group)) {
		return nil, unconvertible(*got, want)
	}
	if got.GroupVersion() != want.GroupVersion() {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the API version in the data (%s) does not match the expected API version (%s)",
			got.GroupVersion(), want.GroupVersion()))
	}
	if coerce != nil && got.Kind != want.Kind {
		return nil, otherKind(obj, want)
	}
	if obj != into {
		return nil, unconvertible(*got, want)
	}
	obj.GetObjectKind().SetGroupVersionKind(want)
	var warnings []string
	for _, e := range wrong {
		warnings = append(warnings, e.Error())
	}
	return warnings, nil
}

// decodeTyped reads what it can be sure of: an object of the kind wanted, about which there is nothing to be said.
func (c *Codec) decodeTyped(b []byte, want schema.GroupVersionKind, into runtime.Object) bool {
	said, ok := into.GetObjectKind().(*metav1.TypeMeta)
	if !ok {
		return false
	}
	before := *said
	*said = metav1.TypeMeta{} // what is not said is not what is read
	if c.typed.Unmarshal(b, into) {
		version, wrong := schema.ParseGroupVersion(said.APIVersion)
		kinds, _, unknown := c.Scheme.ObjectKinds(into)
		if wrong == nil && unknown == nil && (said.Kind == "" || said.Kind == want.Kind) &&
			(said.APIVersion == "" || version == want.GroupVersion()) && slices.Contains(kinds, want) {
			return true
		}
		reflect.ValueOf(into).Elem().SetZero()
	}
	*said = before
	return false
}

func unconvertible(got, want schema.GroupVersionKind) error {
	return decodeError(fmt.Errorf("converting (%s.%s) to (%s.%s): unknown conversion", got.Version, got.Kind, hub(want.Group), want.Kind), want, &got, nil)
}

// otherKind refuses a custom resource that says to be of another kind: as invalid, since it has been understood.
func otherKind(obj runtime.Object, want schema.GroupVersionKind) error {
	name, got := "", obj.GetObjectKind().GroupVersionKind()
	if m, err := meta.Accessor(obj); err == nil {
		name = m.GetName()
	}
	return apierrors.NewInvalid(got.GroupKind(), name, field.ErrorList{
		field.Invalid(field.NewPath("kind"), got.Kind, "must be "+want.Kind),
	})
}

// hub is the Go package of upstream's internal types of a group, to which it converts what it reads; the name is part of
// what it says of a body of another kind.
func hub(group string) string {
	name, _, _ := strings.Cut(group, ".")
	if name == "" || name == "events" {
		return "core"
	}
	return name
}

// DecodeOptions reads options of a verb from a body. Clients send them under several groups and versions: the kind
// alone is checked, and any other is refused, or a verb would do its work by options that nobody gave.
func (c *Codec) DecodeOptions(b Body, want schema.GroupVersionKind, into runtime.Object) error {
	media, _, err := mime.ParseMediaType(b.ContentType)
	var got schema.GroupVersionKind
	switch {
	case b.ContentType == "" || err == nil && media == JSON:
		err = c.Unmarshal(b.Bytes, into)
		got = into.GetObjectKind().GroupVersionKind()
	case media == YAML:
		if err = checkYAML(b.Bytes); err == nil {
			err = yaml.Unmarshal(b.Bytes, into)
		}
		got = into.GetObjectKind().GroupVersionKind()
	case media == Protobuf:
		var said *schema.GroupVersionKind
		if _, said, err = c.protobuf.Decode(b.Bytes, nil, into); said != nil {
			got = *said
		}
	default:
		return unsupportedMediaType(Offer{})
	}
	switch {
	case got.Kind != "" && got.Kind != want.Kind:
		return apierrors.NewBadRequest(fmt.Sprintf("no kind %q is registered for version %q in scheme \"pkg/runtime/scheme.go:111\"", got.Kind, got.GroupVersion()))
	case err != nil:
		return decodeError(err, want, nil, b.Bytes)
	}
	return nil
}

// EncodeEvent returns one event of a protobuf watch stream, without the length that stands in front of it there.
func (c *Codec) EncodeEvent(kind string, obj runtime.Object) ([]byte, error) {
	var b, event bytes.Buffer
	if err := c.protobuf.Encode(obj, &b); err != nil {
		return nil, err
	}
	err := c.protobufBare.Encode(&metav1.WatchEvent{Type: kind, Object: runtime.RawExtension{Raw: b.Bytes()}}, &event)
	return event.Bytes(), err
}

// decodeError words a body that could not be read as upstream does.
// Source: transformDecodeError in k8s.io/apiserver/pkg/endpoints/handlers/rest.go.
func decodeError(err error, want schema.GroupVersionKind, got *schema.GroupVersionKind, body []byte) error {
	if got != nil && got.Kind != "" {
		return apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s: %v", got.Kind, got.Version, want.Kind, err))
	}
	return apierrors.NewBadRequest(fmt.Sprintf("the object provided is unrecognized (must be of type %s): %v (%s)", want.Kind, err, summary(body)))
}

// summary shows the beginning of a body: in hex when it is not text.
func summary(b []byte) string {
	const most = 30
	switch {
	case len(b) == 0:
		return "<empty>"
	case b[0] == '{' && len(b) > most:
		return string(b[:most]) + " ..."
	case b[0] == '{':
		return string(b)
	case len(b) > most:
		return fmt.Sprintf("%02x ...", b[:most])
	}
	return fmt.Sprintf("%02x", b)
}

// Encode writes an object in the form asked for, as one document.
func (c *Codec) Encode(obj runtime.Object, f Format) ([]byte, error) {
	switch f.Media {
	case Protobuf:
		var b bytes.Buffer
		if err := c.protobuf.Encode(obj, &b); err != nil {
			return nil, err
		}
		return b.Bytes(), nil
	}
	b, err := c.typed.Marshal(obj)
	if err != nil {
		return nil, err
	}
	if f.Ends() {
		return append(b, '\n'), nil
	}
	return Present(b, f)
}

// Ends tells whether an answer in this format ends with a line feed, as upstream's does.
func (f Format) Ends() bool { return f.Media != YAML && f.Media != Protobuf && !f.Pretty }

// Present brings compact JSON into the textual form asked for, but for the line feed at its end.
func Present(compact []byte, f Format) ([]byte, error) {
	switch {
	case f.Media == YAML:
		return yaml.JSONToYAML(compact)
	case f.Pretty:
		var b bytes.Buffer
		if err := stdjson.Indent(&b, compact, "", "  "); err != nil {
			return nil, err
		}
		return b.Bytes(), nil
	}
	return compact, nil
}

// Stored is the form in which an object is kept: JSON, without the resourceVersion.
func (c *Codec) Stored(obj runtime.Object) ([]byte, error) {
	return c.typed.Marshal(obj)
}

// Unmarshal reads an object that was stored, or served, by us.
func (c *Codec) Unmarshal(b []byte, into runtime.Object) error {
	if c.typed.Unmarshal(b, into) {
		return nil
	}
	return kjson.UnmarshalCaseSensitivePreserveInts(b, into)
}

// WatchFrames returns where the events of a watch are written, each by one Write, for a stream in a format.
func (c *Codec) WatchFrames(f Format, w io.Writer) io.Writer {
	if f.Media == Protobuf {
		return protobuf.LengthDelimitedFramer.NewFrameWriter(w)
	}
	return w
}

// ContentType is the header for an answer in a format; a stream says so.
func (f Format) ContentType(stream bool) string {
	if !stream || f.Media == YAML {
		return f.Media
	}
	if f.Media == Protobuf {
		return Protobuf + ";stream=watch"
	}
	return f.Media
}
