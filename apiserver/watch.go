package apiserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
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
	lastBookmark    = 2 * time.Second // before the end
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
	if f.As == "Table" {
		if _, err := includeObject(c.r.URL.Query()); err != nil {
			return err
		}
	}
	after, err := revisionOf(opts.ResourceVersion)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), watchTimeout(opts))
	defer cancel()
	begin := after
	// Without a version, or from 0, a watch begins with what there is; or with now, when that is not wanted.
	initial := wanted(opts.SendInitialEvents, after == 0)
	switch now := c.Registry.Revision(); {
	case initial:
		if err := c.Registry.Reach(c.r.Context(), after); err != nil {
			return c.watchError(f, err, opts)
		}
	case after == 0, after > now: // what comes before a version that there is not yet is left out
		begin = now
	}
	w, err := c.Registry.Watch(ctx, c.watchPrefix(match), begin, initial)
	if err != nil {
		return c.watchError(f, err, opts)
	}
	defer w.Stop()

	out, err := c.openStream(f, match, listsFirst(opts))
	if err != nil {
		return err
	}
	defer out.close()
	if !initial {
		out.after = after
	}
	defer c.metrics.watching(c.rec)()
	return c.stream(ctx, w, out, opts)
}

// stream sends events until the client, the server or the time ends it.
func (c *call) stream(ctx context.Context, w *cache.Watcher, out *eventStream, opts *metainternal.ListOptions) error {
	bookmarks := time.NewTimer(untilBookmark(ctx))
	defer bookmarks.Stop()
	asked := listsFirst(opts)
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
			bookmarks.Reset(untilBookmark(ctx))
		case <-w.Ready():
			batch, err := w.Take()
			if err != nil {
				if !errors.Is(err, storage.ErrClosed) {
					out.error(err)
				}
				return nil
			}
			for _, e := range batch {
				// A long list is not written out as a whole for each who watches.
				if out.waiting >= gathered && out.flush() != nil {
					return nil
				}
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

// wanted is what a parameter says, or otherwise where it says nothing.
func wanted(asked *bool, otherwise bool) bool {
	if asked != nil {
		return *asked
	}
	return otherwise
}

// untilBookmark is how long it is until the next bookmark: one comes each minute, and one shortly before the watch ends, so
// that the next can go on from there.
// Source: nextBookmarkTime in k8s.io/apiserver/pkg/storage/cacher.
func untilBookmark(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		if last := time.Until(deadline) - lastBookmark; last > 0 {
			return min(last, bookmarkEvery)
		}
	}
	return bookmarkEvery
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

// watchError answers a watch from a version that is forgotten, or that does not come in time: it begins, and ends with an ERROR
// event, as upstream's does.
func (c *call) watchError(f wire.Format, err error, opts *metainternal.ListOptions) error {
	var compacted storage.CompactedError
	switch {
	case errors.As(err, &compacted):
		err = apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %s (%d)", opts.ResourceVersion, compacted.Revision))
	case !apierrors.IsTimeout(err):
		return err
	}
	out, oerr := c.openStream(f, &matcher{}, listsFirst(opts))
	if oerr != nil {
		return oerr
	}
	defer out.close()
	out.error(err)
	out.flush()
	return nil
}

// gathered is how many bytes of events are sent together.
const gathered = 64 << 10

// eventStream writes events in one client's format.
type eventStream struct {
	c       *call
	f       wire.Format
	match   *matcher
	w       io.Writer // of whole events
	rc      *http.ResponseController
	packed  *packer // nil where nothing is compressed
	pending []byte
	waiting int // bytes since the last flush
	err     error
	slow    *time.Timer // runs while something is written
	mu      sync.Mutex
	over    bool  // under mu: the connection is the next request's
	headers bool  // the table's columns have been sent
	after   int64 // events up to this revision are not told
}

// openStream begins the answer. One that a list of what there is comes first in, which is long, is compressed for clients that read
// that.
func (c *call) openStream(f wire.Format, match *matcher, long bool) (*eventStream, error) {
	s := &eventStream{c: c, f: f, match: match, rc: http.NewResponseController(c.w)}
	s.slow = time.AfterFunc(requestPatience, s.cut)
	h := c.w.Header()
	h.Set("Content-Type", f.ContentType(true))
	to := io.Writer(c.w)
	if f.Gzip && long {
		h.Set("Content-Encoding", "gzip")
		h.Add("Vary", "Accept-Encoding")
		s.packed = &packer{w: c.w, pool: &c.compressors}
		to = s.packed
	}
	s.w = c.Codec.WatchFrames(f, to)
	c.w.WriteHeader(http.StatusOK)
	err := s.rc.Flush()
	s.slow.Stop()
	return s, err
}

// cut ends a stream whose client takes nothing.
func (s *eventStream) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		s.rc.SetWriteDeadline(time.Now())
	}
}

// listsFirst tells whether a watch is in place of a list and a watch (KEP-3157).
func listsFirst(opts *metainternal.ListOptions) bool {
	return wanted(opts.SendInitialEvents, false) && opts.AllowWatchBookmarks
}

// event sends a change as the client sees it: an object that a selector lets through no longer is gone for it.
func (s *eventStream) event(e *cache.Event) {
	kind, entry := e.Type, e.Entry
	if e.Revision <= s.after {
		return
	}
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
		case was && e.Type != cache.Deleted:
			kind = cache.Deleted // and told of as it was when it was still one of them
			body, err := wire.Respliced(e.Prev.Body, e.Revision)
			if err != nil {
				s.error(err)
				return
			}
			entry = e.Prev.As(body, e.Revision)
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

// convert brings an object into the form that the client wants. Of a list of metadata there can be no event: such a stream ends.
func (s *eventStream) convert(obj runtime.Object) (runtime.Object, error) {
	switch s.f.As {
	case "Table":
		t, err := s.c.table(s.f, []runtime.Object{obj}, metav1.ListMeta{ResourceVersion: versionOf(obj)})
		if err != nil {
			return nil, err
		}
		if s.headers {
			t.ColumnDefinitions = nil
		}
		s.headers = true
		return t, nil
	case "PartialObjectMetadata":
		return s.c.partial(s.f, obj)
	case "PartialObjectMetadataList":
		return nil, errNoForm
	}
	return obj, nil
}

var errNoForm = errors.New("an event has no such form")

// bookmark tells how far the client has got.
func (s *eventStream) bookmark(e *cache.Event) {
	obj := s.c.kind.New()
	m, err := meta.Accessor(obj)
	if err != nil {
		return
	}
	if s.c.kind.Blank != nil {
		s.c.kind.Blank(obj)
	}
	m.SetResourceVersion(strconv.FormatInt(max(e.Revision, s.after), 10))
	if e.InitialEnd {
		annotations := maps.Clone(m.GetAnnotations())
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[metav1.InitialEventsAnnotationKey] = "true"
		m.SetAnnotations(annotations)
	}
	converted, err := s.convert(obj)
	if err != nil {
		s.error(err)
		return
	}
	s.object(string(watch.Bookmark), converted)
}

// error ends the stream with an ERROR event.
func (s *eventStream) error(err error) {
	if errors.Is(err, errNoForm) {
		s.err = err
		return
	}
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
	s.waiting += len(b)
	s.slow.Reset(requestPatience)
	if _, err := s.w.Write(b); err != nil && s.err == nil {
		s.err = err
	}
}

func (s *eventStream) write(b []byte) {
	s.waiting += len(b)
	s.pending = append(s.pending, b...)
}

// flush sends what has gathered.
func (s *eventStream) flush() error {
	s.slow.Reset(requestPatience)
	defer s.slow.Stop()
	s.waiting = 0
	if len(s.pending) > 0 && s.err == nil {
		_, s.err = s.w.Write(s.pending)
	}
	s.pending = s.pending[:0]
	if s.err == nil && s.packed != nil {
		s.err = s.packed.flush()
	}
	if s.err == nil {
		s.err = s.rc.Flush()
	}
	return s.err
}

// close gives back what compresses. What was not flushed is not sent any longer.
func (s *eventStream) close() {
	s.slow.Stop()
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	if s.packed != nil {
		s.packed.release()
	}
}
