package registry

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	apipath "k8s.io/apimachinery/pkg/api/validation/path"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coracle/apiserver/catalog"
	"coracle/apiserver/wire"
	"coracle/storage"
	"coracle/storage/cache"
)

// Registry reads and writes objects. Its methods may be called from many goroutines.
type Registry struct {
	cache   *cache.Cache
	catalog *catalog.Catalog
	codec   *wire.Codec
}

// New returns a registry over a filled cache.
func New(c *cache.Cache, kinds *catalog.Catalog, codec *wire.Codec) *Registry {
	return &Registry{cache: c, catalog: kinds, codec: codec}
}

const root = "/registry/"

// ErrTooLarge is returned when an object is larger than what etcd takes in one request, unless it is told otherwise.
var ErrTooLarge = errors.New("etcdserver: request is too large")

// largest is that size in bytes, without what etcd puts around an object.
// Source: go.etcd.io/etcd/server/v3/embed.DefaultMaxRequestBytes.
const largest = 3<<19 - 256

// reachPatience is how long a read waits for a version that is not there yet.
const reachPatience = 3 * time.Second

// Prefix is where the objects of a kind are kept: all of them, or those of one namespace.
func (r *Registry) Prefix(k *catalog.Kind, namespace string) string {
	return r.Key(k, namespace, "")
}

func storagePrefix(gr schema.GroupResource) string {
	return root + cmp.Or(gr.Group, wire.CoreGroup) + "/" + gr.Resource + "/"
}

// Key is where one object is kept.
func (r *Registry) Key(k *catalog.Kind, namespace, name string) string {
	gr := k.GroupResource()
	group := cmp.Or(gr.Group, wire.CoreGroup)
	if k.Namespaced && namespace != "" {
		return root + group + "/" + gr.Resource + "/" + namespace + "/" + name
	}
	return root + group + "/" + gr.Resource + "/" + name
}

// Get returns a stored object, or a 404 Status error.
func (r *Registry) Get(k *catalog.Kind, namespace, name string) (*cache.Entry, error) {
	if name == "" || strings.Contains(name, "/") || k.Namespaced && (namespace == "" || strings.Contains(namespace, "/")) {
		return nil, apierrors.NewNotFound(k.Missing(), name)
	}
	e, ok := r.cache.Get(r.Key(k, namespace, name))
	if !ok {
		if why := apipath.IsValidPathSegmentName(name); len(why) > 0 { // which no object has
			return nil, apierrors.NewBadRequest(fmt.Sprintf("Name parameter invalid: %q: %s", name, strings.Join(why, ";")))
		}
		return nil, apierrors.NewNotFound(k.Missing(), name)
	}
	return e, nil
}

// Has tells whether an object is there.
func (r *Registry) Has(k *catalog.Kind, namespace, name string) bool {
	_, err := r.Get(k, namespace, name)
	return err == nil
}

// Object returns a stored object in the form of the kind asked for. It is shared.
func (r *Registry) Object(k *catalog.Kind, e *cache.Entry) (runtime.Object, error) {
	v, err := e.Object()
	if err != nil {
		return nil, err
	}
	obj, ok := v.(runtime.Object)
	if !ok {
		return nil, fmt.Errorf("%s holds no object", e.Key)
	}
	if k.FromStored != nil {
		return k.FromStored(obj)
	}
	return obj, nil
}

// Expect tells the store of writes that are on their way, or with a negative number that they have been made or will not come.
func (r *Registry) Expect(writes int) { r.cache.Expect(writes) }

// Create stores a new object, which is the registry's from then on.
// Errors: AlreadyExists, ErrTooLarge.
func (r *Registry) Create(ctx context.Context, k *catalog.Kind, obj runtime.Object) (*cache.Entry, error) {
	key, value, stored, err := r.encode(k, obj)
	if err != nil {
		return nil, err
	}
	e, err := r.cache.Create(ctx, key, value, stored)
	if errors.Is(err, storage.ErrExists) {
		return nil, apierrors.NewAlreadyExists(k.Qualified(), key[strings.LastIndexByte(key, '/')+1:])
	}
	return e, err
}

// Update replaces an object whose present state is current. An update that changes nothing writes nothing.
// Errors: storage.ErrConflict, storage.ErrNotFound, ErrTooLarge.
func (r *Registry) Update(ctx context.Context, k *catalog.Kind, obj runtime.Object, current *cache.Entry) (*cache.Entry, error) {
	_, value, stored, err := r.encode(k, obj)
	if err != nil {
		return nil, err
	}
	if same, err := spliced(value, current); err == nil && bytes.Equal(same, current.Body) {
		if now, ok := r.cache.Get(current.Key); ok && now.Revision == current.Revision {
			return current, nil
		}
	}
	return r.cache.Update(ctx, current.Key, value, stored, current.Revision)
}

// spliced is a value as it would be served now: nil for one that can be seen to differ from what is served, whatever is put into it.
func spliced(value []byte, current *cache.Entry) ([]byte, error) {
	body, same := current.Body, 0
	for same < min(len(value), len(body)) && value[same] == body[same] {
		same++
	}
	if len(body) < len(value) || !bytes.Equal(value[same:], body[len(body)-len(value)+same:]) {
		return nil, nil
	}
	return wire.Splice(value, current.Revision)
}

// Delete removes an object whose present state is current.
// Errors: storage.ErrConflict, storage.ErrNotFound.
func (r *Registry) Delete(ctx context.Context, k *catalog.Kind, current *cache.Entry) (*cache.Entry, error) {
	return r.cache.Delete(ctx, current.Key, current.Revision)
}

// encode gives the key and the stored form of an object, which loses its resourceVersion by it, and the object that is read from
// it: nil for a custom one, whose numbers may be read as others than they were made.
func (r *Registry) encode(k *catalog.Kind, obj runtime.Object) (key string, value []byte, stored any, err error) {
	m, err := meta.Accessor(obj)
	if err != nil {
		return "", nil, nil, err
	}
	key = r.Key(k, m.GetNamespace(), m.GetName())
	if k.ToStored != nil {
		if obj, err = k.ToStored(obj); err != nil {
			return "", nil, nil, err
		}
		if m, err = meta.Accessor(obj); err != nil {
			return "", nil, nil, err
		}
	} else {
		obj.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind)
	}
	m.SetResourceVersion("")
	if k.Custom == nil {
		stored = obj
	}
	if value, err = r.codec.Stored(obj); err == nil && len(value) > largest && oversized(obj) {
		err = ErrTooLarge
	}
	return key, value, stored, err
}

// oversized measures an object whose JSON is too large as Kubernetes keeps it, in protobuf if it is no custom resource.
func oversized(obj runtime.Object) bool {
	p, ok := obj.(interface{ Size() int })
	return !ok || p.Size() > largest
}

// Listing is part of what lies under a prefix, as of one revision.
type Listing struct {
	Entries   []*cache.Entry
	Revision  int64
	More      bool
	Remaining int64 // how many follow
}

// List returns what lies under a prefix, from a key on: as of now, or as of a revision if that is not 0.
// Errors: storage.ErrCompacted.
func (r *Registry) List(ctx context.Context, prefix string, revision int64, from string, limit int) (Listing, error) {
	s, err := r.cache.ListAt(ctx, prefix, revision, from, limit)
	if err != nil {
		return Listing{}, err
	}
	return Listing{Entries: s.Entries, Revision: s.Revision, More: s.More, Remaining: s.Remaining}, nil
}

// All returns the objects of a kind, of one namespace or of all, as of now.
func (r *Registry) All(ctx context.Context, k *catalog.Kind, namespace string) ([]runtime.Object, error) {
	l, err := r.List(ctx, r.Prefix(k, namespace), 0, "", 0)
	if err != nil {
		return nil, err
	}
	objs := make([]runtime.Object, len(l.Entries))
	for i, e := range l.Entries {
		if objs[i], err = r.Object(k, e); err != nil {
			return nil, err
		}
	}
	return objs, nil
}

// Watch streams the changes under a prefix after a revision, or, with initial, what there is and then the changes.
// Errors: storage.ErrCompacted, storage.ErrFutureRevision.
func (r *Registry) Watch(ctx context.Context, prefix string, after int64, initial bool) (*cache.Watcher, error) {
	return r.cache.Watch(ctx, prefix, after, cache.WatchOptions{Initial: initial})
}

// Subscribe calls f for everything that lies under a kind's prefix and for every later change, in order,
// before the change is acknowledged to its writer.
func (r *Registry) Subscribe(gr schema.GroupResource, f func(*cache.Event)) {
	r.cache.Subscribe(storagePrefix(gr), f)
}

// Revision is the newest revision that is read.
func (r *Registry) Revision() int64 { return r.cache.Revision() }

// Reach waits until a revision can be read, for as long as upstream does.
// Errors: a Timeout that says that the version is too large.
func (r *Registry) Reach(ctx context.Context, revision int64) error {
	if r.cache.Revision() >= revision {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, reachPatience)
	defer cancel()
	if err := r.cache.WaitFor(ctx, revision); err != nil {
		return tooLarge(revision, r.cache.Revision())
	}
	return nil
}

// tooLarge is upstream's answer to a version that does not exist yet.
// Source: k8s.io/apiserver/pkg/storage.NewTooLargeResourceVersionError.
func tooLarge(asked, have int64) error {
	err := apierrors.NewTimeoutError(fmt.Sprintf("Too large resource version: %d, current: %d", asked, have), 1)
	err.ErrStatus.Details = &metav1.StatusDetails{
		RetryAfterSeconds: 1,
		Causes:            []metav1.StatusCause{{Type: metav1.CauseTypeResourceVersionTooLarge, Message: "Too large resource version"}},
	}
	return err
}

// Under lists what is kept of a resource, whether or not a kind is served that it is of.
func (r *Registry) Under(ctx context.Context, gr schema.GroupResource) ([]*cache.Entry, error) {
	l, err := r.List(ctx, storagePrefix(gr), 0, "", 0)
	return l.Entries, err
}

// Remove removes what is kept, in the state given, as it is.
// Errors: storage.ErrConflict, storage.ErrNotFound.
func (r *Registry) Remove(ctx context.Context, current *cache.Entry) error {
	_, err := r.cache.Delete(ctx, current.Key, current.Revision)
	return err
}
