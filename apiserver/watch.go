package apiserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metainternal "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"coracle/apiserver/wire"
	"coracle/storage"
	"coracle/storage/cache"
)

const (
	bookmarkEvery   = time.Minute
	minWatchTimeout = 30 * time.Minute
)

// watch streams changes as they are made.
// Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
func (c *call) watch() error {
	offer := c.offer()
	f, err := wire.Negotiate(c.r, offer)
	if err != nil {
		return err
	}
	if f.Media == wire.YAML {
		return wire.NoStream(offer)
	}
	opts, err := listOptions(c.r)
	if err != nil {
		return err
	}
	match, err := c.matcher(opts.LabelSelector, opts.FieldSelector)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), watchTimeout(opts))
	defer cancel()

	after, err := revisionOf(opts.ResourceVersion)
	if err != nil {
		return err
	}
	// Without a version, or from 0, a watch begins with what there is.
	initial := opts.SendInitialEvents != nil && *opts.SendInitialEvents || opts.SendInitialEvents == nil && after == 0
	if initial && after > 0 {
		if err := c.Registry.Reach(ctx, after); err != nil {
			return err
		}
	}
	w, err := c.Registry.Watch(ctx, c.watchPrefix(match), after, initial)
	if err != nil {
		return c.watchError(f, opts, err)
	}
	defer w.Stop()

	out, err := c.openStream(f, match)
	if err != nil {
		return err
	}
	defer c.metrics.watching(c.rec)()
	return c.stream(ctx, w, out, opts)
}

// stream sends events until the client, the server or the time ends it.
func (c *call) stream(ctx context.Context, w *cache.Watcher, out *eventStream, opts *metainternal.ListOptions) error {
	bookmarks := time.NewTicker(bookmarkEvery)
	defer bookmarks.Stop()
	asked := opts.SendInitialEvents != nil && *opts.SendInitialEvents
	for {
		select {
		case <-c.stop:
			return nil
		case <-c.kind.Replaced():
			return nil
		case <-ctx.Done():
			return nil
		case <-bookmarks.C:
			if opts.AllowWatchBookmarks {
				w.RequestBookmark()
			}
		case <-w.Ready():
			batch, err := w.Take()
			if err != nil {
				if !errors.Is(err, storage.ErrClosed) {
					out.error(err)
				}
				return nil
			}
			for _, e := range batch {
				if e.Type == cache.Bookmark {
					if !e.InitialEnd && opts.AllowWatchBookmarks || e.InitialEnd && asked {
						out.bookmark(e)
					}
					continue
				}
				out.event(e)
			}
			if out.flush() != nil {
				return nil // the client is gone
			}
		}
	}
}

// watchPrefix is the narrowest part of the store that holds what is asked for.
func (c *call) watchPrefix(match *matcher) string {
	name := match.name
	if name == "" {
		name, _ = match.fields.RequiresExactMatch("metadata.name")
	}
	if name != "" && (!c.kind.Namespaced || c.info.Namespace != "") {
		return c.Registry.Key(c.kind, c.info.Namespace, name)
	}
	return c.Registry.Prefix(c.kind, c.info.Namespace)
}

func watchTimeout(opts *metainternal.ListOptions) time.Duration {
	if opts.TimeoutSeconds != nil && *opts.TimeoutSeconds > 0 {
		return time.Duration(min(*opts.TimeoutSeconds, 1<<31)) * time.Second
	}
	// Spread, so that clients do not all come back at once.
	return minWatchTimeout + rand.N(minWatchTimeout)
}

// watchError answers a watch that cannot begin. One from a version that is forgotten begins, and ends
// with an ERROR event, as upstream's does.
func (c *call) watchError(f wire.Format, opts *metainternal.ListOptions, err error) error {
	switch {
	case errors.Is(err, storage.ErrCompacted):
		err = apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %s", opts.ResourceVersion))
	case errors.Is(err, storage.ErrFutureRevision):
		return tooLarge(opts.ResourceVersion, c.Registry.Revision())
	default:
		return err
	}
	out, oerr := c.openStream(f, &matcher{})
	if oerr != nil {
		return oerr
	}
	out.error(err)
	out.flush()
	return nil
}

// eventStream writes events in one client's format.
type eventStream struct {
	c       *call
	f       wire.Format
	match   *matcher
	w       io.Writer
	rc      *http.ResponseController
	pending []byte
	err     error
	encoder runtime.Encoder
	headers bool // the table's columns have been sent
}

func (c *call) openStream(f wire.Format, match *matcher) (*eventStream, error) {
	s := &eventStream{c: c, f: f, match: match, w: c.w, rc: http.NewResponseController(c.w)}
	s.encoder, s.w = c.Codec.WatchEncoder(f, c.w)
	h := c.w.Header()
	h.Set("Content-Type", f.ContentType(true))
	c.w.WriteHeader(http.StatusOK)
	return s, s.rc.Flush()
}

// event sends a change as the client sees it: an object that a selector lets through no longer is gone for it.
func (s *eventStream) event(e *cache.Event) {
	kind, entry := e.Type, e.Entry
	if !s.match.all() {
		was, is := false, false
		if e.Prev != nil {
			was, _ = s.match.entry(s.c, e.Prev)
		}
		if e.Type != cache.Deleted {
			is, _ = s.match.entry(s.c, e.Entry)
		}
		switch {
		case was && is:
			kind = cache.Modified
		case is:
			kind = cache.Added
		case was:
			kind = cache.Deleted
		default:
			return
		}
	}
	s.c.metrics.watched(s.c.rec)
	asIs := s.f.As == "" && s.c.kind.FromStored == nil
	switch {
	case asIs && s.f.Media == wire.JSON:
		if b, err := e.Frame(inJSON, kind, func() ([]byte, error) { return jsonFrame(kind, entry), nil }); err == nil {
			s.write(b)
		}
		return
	case asIs && s.f.Media == wire.Protobuf:
		b, err := e.Frame(inProtobuf, kind, func() ([]byte, error) {
			obj, err := s.c.Registry.Object(s.c.kind, entry)
			if err != nil {
				return nil, err
			}
			return s.c.Codec.EncodeEvent(eventName(kind), obj)
		})
		if err != nil {
			s.error(err)
			return
		}
		s.message(b)
		return
	}
	obj, err := s.c.Registry.Object(s.c.kind, entry)
	if err == nil {
		obj, err = s.convert(obj)
	}
	if err != nil {
		s.error(err)
		return
	}
	s.object(eventName(kind), obj)
}

// The forms in which all watchers of an event are sent the same bytes.
const (
	inJSON = iota
	inProtobuf
)

func jsonFrame(kind cache.EventType, entry *cache.Entry) []byte {
	b := make([]byte, 0, len(entry.Body)+48)
	b = append(b, `{"type":"`...)
	b = append(b, eventName(kind)...)
	b = append(b, `","object":`...)
	b = append(b, entry.Body...)
	return append(b, "}\n"...)
}

func eventName(t cache.EventType) string {
	switch t {
	case cache.Added:
		return string(watch.Added)
	case cache.Deleted:
		return string(watch.Deleted)
	case cache.Bookmark:
		return string(watch.Bookmark)
	}
	return string(watch.Modified)
}

func (s *eventStream) convert(obj runtime.Object) (runtime.Object, error) {
	switch s.f.As {
	case "Table":
		t, err := s.c.table([]runtime.Object{obj}, metav1.ListMeta{ResourceVersion: versionOf(obj)})
		if err != nil {
			return nil, err
		}
		if s.headers {
			t.ColumnDefinitions = nil
		}
		s.headers = true
		return t, nil
	case "PartialObjectMetadata", "PartialObjectMetadataList":
		return partial(obj)
	}
	return obj, nil
}

// bookmark tells how far the client has got.
func (s *eventStream) bookmark(e *cache.Event) {
	obj := s.c.kind.New()
	m, err := meta.Accessor(obj)
	if err != nil {
		return
	}
	m.SetResourceVersion(strconv.FormatInt(e.Revision, 10))
	if e.InitialEnd {
		m.SetAnnotations(map[string]string{metav1.InitialEventsAnnotationKey: "true"})
	}
	converted := runtime.Object(obj)
	switch s.f.As {
	case "Table":
		t, err := s.c.table([]runtime.Object{obj}, metav1.ListMeta{ResourceVersion: m.GetResourceVersion()})
		if err != nil {
			return
		}
		t.ColumnDefinitions = nil
		converted = t
	case "PartialObjectMetadata", "PartialObjectMetadataList":
		if converted, err = partial(obj); err != nil {
			return
		}
	}
	s.object(string(watch.Bookmark), converted)
}

// error ends the stream with an ERROR event.
func (s *eventStream) error(err error) {
	if errors.Is(err, storage.ErrCompacted) {
		err = apierrors.NewResourceExpired("too old resource version")
	}
	s.object(string(watch.Error), statusOf(err))
	s.flush()
}

// object sends an event that has to be encoded for this client.
func (s *eventStream) object(kind string, obj runtime.Object) {
	if s.f.Media == wire.Protobuf {
		b, err := s.c.Codec.EncodeEvent(kind, obj)
		if err != nil && s.err == nil {
			s.err = err
			return
		}
		s.message(b)
		return
	}
	b, err := json.Marshal(struct {
		Type   string         `json:"type"`
		Object runtime.Object `json:"object"`
	}{kind, obj})
	if err != nil {
		s.err = err
		return
	}
	s.write(append(b, '\n'))
}

// message sends an event in protobuf, with its length in front.
func (s *eventStream) message(b []byte) {
	s.flush()
	if _, err := s.w.Write(b); err != nil && s.err == nil {
		s.err = err
	}
}

func (s *eventStream) write(b []byte) {
	s.pending = append(s.pending, b...)
}

// flush sends what has gathered.
func (s *eventStream) flush() error {
	if len(s.pending) > 0 && s.err == nil {
		_, s.err = s.c.w.Write(s.pending)
	}
	s.pending = s.pending[:0]
	if s.err == nil {
		s.err = s.rc.Flush()
	}
	return s.err
}

// tooLarge is upstream's answer to a version that does not exist yet.
func tooLarge(asked string, have int64) error {
	err := apierrors.NewTimeoutError(fmt.Sprintf("Too large resource version: %s, current: %d", asked, have), 1)
	err.ErrStatus.Details = &metav1.StatusDetails{
		RetryAfterSeconds: 1,
		Causes:            []metav1.StatusCause{{Type: metav1.CauseTypeResourceVersionTooLarge, Message: "Too large resource version"}},
	}
	return err
}
