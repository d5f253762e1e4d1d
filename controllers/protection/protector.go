package protection

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"coracle/controllers/loop"
)

// Server reads and writes objects as JSON, by their paths.
type Server interface {
	Get(ctx context.Context, path string) ([]byte, error)
	Put(ctx context.Context, path string, body []byte) error
}

// REST is the Server that a client speaks to. A typed client of each kind would be large.
type REST struct{ Client rest.Interface }

// Get returns an object, or a Status error.
func (r REST) Get(ctx context.Context, path string) ([]byte, error) {
	return r.Client.Get().AbsPath(path).DoRaw(ctx)
}

// Put replaces an object.
func (r REST) Put(ctx context.Context, path string, body []byte) error {
	return r.Client.Put().AbsPath(path).SetHeader("Content-Type", "application/json").Body(body).Do(ctx).Error()
}

// protector holds objects of one kind by a finalizer for as long as they are used.
type protector struct {
	finalizer string
	server    Server
	path      func(cache.ObjectName) string
	used      func(ctx context.Context, name cache.ObjectName, object []byte) (bool, error)
	loop      *loop.Loop[cache.ObjectName]
}

// changed queues an object that there is something to do for.
func (p *protector) changed(m metav1.Object) {
	if held := slices.Contains(m.GetFinalizers(), p.finalizer); held == (m.GetDeletionTimestamp() != nil) {
		p.loop.Add(cache.MetaObjectToName(m))
	}
}

// reconcile lets go of an object that is to be deleted and is not used, and takes hold of one that is older than its protection.
func (p *protector) reconcile(ctx context.Context, name cache.ObjectName) error {
	path := p.path(name)
	body, err := p.server.Get(ctx, path)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	var object metav1.PartialObjectMetadata
	if err := json.Unmarshal(body, &object); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	finalizers := object.Finalizers
	held := slices.Contains(finalizers, p.finalizer)
	switch deleted := object.DeletionTimestamp != nil; {
	case held && deleted:
		if used, err := p.used(ctx, name, body); used || err != nil {
			return err
		}
		finalizers = slices.DeleteFunc(finalizers, func(f string) bool { return f == p.finalizer })
	case !held && !deleted:
		finalizers = append(finalizers, p.finalizer)
	default:
		return nil
	}
	if body, err = withFinalizers(body, finalizers); err != nil {
		return fmt.Errorf("change %s: %w", path, err)
	}
	if err := p.server.Put(ctx, path, body); !apierrors.IsNotFound(err) {
		return err
	}
	return nil
}

// withFinalizers changes an object's finalizers and nothing else.
func withFinalizers(body []byte, finalizers []string) ([]byte, error) {
	var object, meta map[string]json.RawMessage
	if err := json.Unmarshal(body, &object); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(object["metadata"], &meta); err != nil {
		return nil, err
	}
	var err error
	if meta["finalizers"], err = json.Marshal(finalizers); err != nil {
		return nil, err
	}
	if object["metadata"], err = json.Marshal(meta); err != nil {
		return nil, err
	}
	return json.Marshal(object)
}

// watchMetadata has a protector told of everything of its kind, of which metadata is all that it keeps.
func (p *protector) watchMetadata(content metadata.Interface, gvr schema.GroupVersionResource) cache.SharedIndexInformer {
	return loop.WatchMetadata(p.loop, content, gvr, func(object *metav1.PartialObjectMetadata) { p.changed(object) })
}

func newProtector(name, finalizer string, server Server, log *slog.Logger) *protector {
	p := &protector{finalizer: finalizer, server: server}
	p.loop = loop.New(name, log, p.reconcile)
	return p
}
