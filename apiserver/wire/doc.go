// Package wire turns bytes into objects and objects into bytes.
//
// It knows the media types (JSON, YAML, protobuf), how a client asks for one of them or for a Table or
// metadata only, how strictly a body is read, and the form in which objects are stored: JSON without a
// resourceVersion, which is spliced in once the revision is known, so that the bytes that were written are
// the bytes that every get, list and watch answers.
//
// Nouns: Format (what a client wants back), Codec (objects of the catalog's kinds), Strictness.
// Start reading at Negotiate and Codec.
//
// Simplifications: CBOR is refused (406, 415), as with upstream's CBORServingAndStorage gate off.
package wire
