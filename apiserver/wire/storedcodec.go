package wire

import (
	"fmt"
	"strings"

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
