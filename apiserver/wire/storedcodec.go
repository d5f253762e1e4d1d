package wire

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coracle/storage"
)

// StoredCodec tells the watch cache how stored values are served and decoded.
type StoredCodec struct {
	*Codec
	// New returns an empty object for what is kept under a storage's prefix, nil for an unknown one.
	New func(schema.GroupResource) runtime.Object
}

// Body is a value as it is served: with its resourceVersion.
func (c StoredCodec) Body(kv storage.KV) ([]byte, error) {
	b, err := Splice(kv.Value, kv.Revision)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kv.Key, err)
	}
	return b, nil
}

// Decode reads a served body.
func (c StoredCodec) Decode(key string, body []byte) (any, error) {
	gr, err := resourceOf(key)
	if err != nil {
		return nil, err
	}
	obj := c.New(gr)
	if obj == nil {
		return nil, fmt.Errorf("%s: no kind is served that is kept as %s", key, gr)
	}
	if err := c.Unmarshal(body, obj); err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return obj, nil
}

// Adopt gives a written object its resourceVersion, and its times the form in which they are read: those of conditions but for
// their fractions of a second.
func (c StoredCodec) Adopt(object any, revision int64) {
	m, ok := object.(metav1.Object)
	if !ok {
		return
	}
	m.SetResourceVersion(strconv.FormatInt(revision, 10))
	m.SetCreationTimestamp(*asRead(new(m.GetCreationTimestamp())))
	m.SetDeletionTimestamp(asRead(m.GetDeletionTimestamp()))
	owners := slices.Clone(m.GetManagedFields())
	for i := range owners {
		owners[i].Time = asRead(owners[i].Time)
	}
	m.SetManagedFields(owners)
}

func asRead(t *metav1.Time) *metav1.Time {
	if t.IsZero() {
		return t
	}
	return new(metav1.Unix(t.Unix(), 0))
}

// CoreGroup stands for the group without a name in keys.
const CoreGroup = "core"

func resourceOf(key string) (schema.GroupResource, error) {
	parts := strings.SplitN(strings.TrimPrefix(key, "/registry/"), "/", 3)
	if len(parts) < 3 {
		return schema.GroupResource{}, fmt.Errorf("%s: not the key of an object", key)
	}
	if parts[0] == CoreGroup {
		parts[0] = ""
	}
	return schema.GroupResource{Group: parts[0], Resource: parts[1]}, nil
}
