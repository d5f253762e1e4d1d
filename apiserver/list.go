package apiserver

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metainternal "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"coracle/apiserver/wire"
	"coracle/storage"
	"coracle/storage/cache"
)

// list answers many objects as of one revision. Without selectors, and as JSON, the answer is put together
// from the stored bytes: no object is decoded.
func (c *call) list() error {
	f, err := wire.Negotiate(c.r, c.offer())
	if err != nil {
		return err
	}
	opts, err := listOptions(c.r)
	if err != nil {
		return err
	}
	match, err := c.matcher(opts.LabelSelector, opts.FieldSelector)
	if err != nil {
		return err
	}
	page, err := c.page(opts, match)
	if err != nil {
		return err
	}
	return c.sendPage(f, page, match)
}

// sendPage answers with the objects of a page as they are stored.
func (c *call) sendPage(f wire.Format, page page, match *matcher) (err error) {
	list := metav1.ListMeta{ResourceVersion: strconv.FormatInt(page.revision, 10), Continue: page.next}
	if page.next != "" && match.all() {
		list.RemainingItemCount = &page.remaining
	}
	if f.As == "" && f.Media != wire.Protobuf && c.kind.FromStored == nil {
		b, err := c.listBytes(page.entries, list)
		if err != nil {
			return err
		}
		if err := auditBytes(c.w, b); err != nil {
			return err
		}
		if b, err = wire.Present(b, f); err != nil {
			return err
		}
		c.sendBytes(c.w, f, http.StatusOK, b)
		return nil
	}
	objs := make([]runtime.Object, len(page.entries))
	for i, e := range page.entries {
		if objs[i], err = c.Registry.Object(c.kind, e); err != nil {
			return err
		}
	}
	return c.sendList(f, objs, list)
}

// listBytes joins stored objects to a list. The items of built-in kinds go without kind and apiVersion,
// as in upstream's lists.
func (c *call) listBytes(entries []*cache.Entry, list metav1.ListMeta) ([]byte, error) {
	head, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	size := 256
	for _, e := range entries {
		size += len(e.Body) + 1
	}
	var b bytes.Buffer
	b.Grow(size)
	fmt.Fprintf(&b, `{"kind":%q,"apiVersion":%q,"metadata":%s,"items":[`, c.kind.ListKind(), c.kind.GroupVersion().String(), head)
	var skip []byte
	if c.Codec.Scheme.Recognizes(c.kind.GroupVersionKind) {
		skip = fmt.Appendf(nil, `{"kind":%q,"apiVersion":%q,`, c.kind.Kind, c.kind.GroupVersion().String())
	}
	for i, e := range entries {
		if i > 0 {
			b.WriteByte(',')
		}
		if rest, ok := bytes.CutPrefix(e.Body, skip); ok && skip != nil {
			b.WriteByte('{')
			b.Write(rest)
		} else {
			b.Write(e.Body)
		}
	}
	b.WriteString("]}\n")
	return b.Bytes(), nil
}

// sendList answers decoded objects in the form asked for.
func (c *call) sendList(f wire.Format, objs []runtime.Object, list metav1.ListMeta) error {
	switch f.As {
	case "Table":
		t, err := c.table(f, objs, list)
		if err != nil {
			return err
		}
		c.send(c.w, f, http.StatusOK, t)
		return nil
	case "PartialObjectMetadataList":
		l := &metav1.PartialObjectMetadataList{
			TypeMeta: metav1.TypeMeta{Kind: "PartialObjectMetadataList", APIVersion: f.MetaVersion()},
			ListMeta: list,
		}
		for _, obj := range objs { // of none the items are null, as upstream
			p, err := c.partial(f, obj)
			if err != nil {
				return err
			}
			l.Items = append(l.Items, *p)
		}
		c.send(c.w, f, http.StatusOK, l)
		return nil
	case "PartialObjectMetadata":
		return notConvertible(fmt.Sprintf("you requested PartialObjectMetadata, but the requested object is a list (*%s.%s)", c.internalPackage(), c.kind.ListKind()))
	}
	l := c.kind.NewList()
	if c.Codec.Scheme.Recognizes(c.kind.GroupVersionKind) {
		// The objects may be shared, so what is taken off them is taken off copies.
		for i, obj := range objs {
			copied := obj.DeepCopyObject()
			copied.GetObjectKind().SetGroupVersionKind(noKind)
			objs[i] = copied
		}
	}
	if err := meta.SetList(l, objs); err != nil {
		return err
	}
	m, err := meta.ListAccessor(l)
	if err != nil {
		return err
	}
	m.SetResourceVersion(list.ResourceVersion)
	m.SetContinue(list.Continue)
	m.SetRemainingItemCount(list.RemainingItemCount)
	if len(objs) == 0 {
		emptyItems(l)
	}
	c.send(c.w, f, http.StatusOK, l)
	return nil
}

// page is part of a listing.
type page struct {
	entries   []*cache.Entry
	revision  int64
	next      string // continue token, "" on the last page
	remaining int64
}

// page reads what the options ask for.
// Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#semantics-for-get-and-list
func (c *call) page(opts *metainternal.ListOptions, match *matcher) (page, error) {
	prefix := c.Registry.Prefix(c.kind, c.info.Namespace)
	ctx := c.r.Context()
	if opts.Continue != "" && opts.ResourceVersion != "" && opts.ResourceVersion != "0" {
		return page{}, apierrors.NewBadRequest("specifying resource version is not allowed when using continue")
	}
	at, err := revisionOf(opts.ResourceVersion)
	if err != nil {
		return page{}, apierrors.NewBadRequest("invalid resource version: " + err.Error())
	}
	from := ""
	switch {
	case opts.Continue != "":
		var t continueToken
		if t, err = readContinue(opts.Continue, prefix); err != nil {
			return page{}, err
		}
		at, from = t.Revision, prefix+t.Start
		if at < 0 {
			at = 0 // an inconsistent continuation: from here on as of now
		} else if err := c.Registry.Reach(ctx, at); err != nil {
			return page{}, err
		}
	case at == 0 && opts.ResourceVersion == "0" && opts.ResourceVersionMatch != metav1.ResourceVersionMatchExact:
		unlimited := *opts // whatever there is: upstream answers that from memory, where there are no pages
		unlimited.Limit = 0
		opts = &unlimited
	case at > 0 && opts.ResourceVersionMatch != metav1.ResourceVersionMatchExact && !(opts.Limit > 0 && opts.ResourceVersionMatch == ""):
		if err := c.Registry.Reach(ctx, at); err != nil {
			return page{}, err
		}
		at = 0
	case at > 0:
		if err := c.Registry.Reach(ctx, at); err != nil {
			return page{}, err
		}
	}
	var p page
	for {
		l, err := c.Registry.List(ctx, prefix, at, from, limitFor(opts.Limit, match, len(p.entries)))
		if err != nil {
			if errors.Is(err, storage.ErrCompacted) {
				return page{}, c.expired(opts, prefix, from)
			}
			return page{}, err
		}
		at, p.revision = l.Revision, l.Revision
		last := ""
		for i, e := range l.Entries {
			last = e.Key
			if ok, err := match.entry(c, e); err != nil {
				return page{}, err
			} else if ok {
				p.entries = append(p.entries, e)
			}
			if opts.Limit > 0 && int64(len(p.entries)) == opts.Limit && (l.More || i < len(l.Entries)-1) {
				p.next, err = writeContinue(l.Revision, strings.TrimPrefix(e.Key, prefix))
				p.remaining = l.Remaining + int64(len(l.Entries)-1-i)
				return p, err
			}
		}
		if !l.More {
			return p, nil
		}
		from = last + "\x00"
	}
}

// limitFor reads in larger portions where a selector lets only some objects through.
func limitFor(limit int64, match *matcher, have int) int {
	if limit <= 0 {
		return 0
	}
	n := int(min(limit, 1<<20)) - have
	if !match.all() {
		n = max(n, 500)
	}
	return n
}

// continueToken is upstream's, so that its clients' tests hold for us as well.
// Source: k8s.io/apiserver/pkg/storage/continue.go.
type continueToken struct {
	Version  string `json:"v"`
	Revision int64  `json:"rv"`
	Start    string `json:"start"`
}

const continueVersion = "meta.k8s.io/v1"

func writeContinue(revision int64, lastKey string) (string, error) {
	b, err := json.Marshal(continueToken{Version: continueVersion, Revision: revision, Start: lastKey + "\x00"})
	return base64.RawURLEncoding.EncodeToString(b), err
}

func readContinue(s, prefix string) (continueToken, error) {
	var t continueToken
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = json.Unmarshal(b, &t)
	}
	switch {
	case err != nil:
		return t, apierrors.NewBadRequest(fmt.Sprintf("invalid continue token: continue key is not valid: %v", err))
	case t.Version != continueVersion:
		return t, apierrors.NewBadRequest(fmt.Sprintf("invalid continue token: continue key is not valid: server does not recognize this encoded version %v", t.Version))
	case t.Revision == 0:
		return t, apierrors.NewBadRequest("invalid continue token: continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)")
	case t.Start == "":
		return t, apierrors.NewBadRequest("invalid continue token: continue key is not valid: encoded start key empty (version meta.k8s.io/v1)")
	}
	if t.Start = strings.TrimPrefix(t.Start, "/"); path.Clean("/"+t.Start) != "/"+t.Start {
		return t, apierrors.NewBadRequest(fmt.Sprintf("invalid continue token: continue key is not valid: %s", t.Start))
	}
	return t, nil
}

// expired tells a client whose listing took too long how it can go on.
func (c *call) expired(opts *metainternal.ListOptions, prefix, from string) error {
	if opts.Continue == "" {
		return apierrors.NewResourceExpired("The resourceVersion for the provided list is too old.")
	}
	err := apierrors.NewResourceExpired("The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.")
	start := strings.TrimSuffix(strings.TrimPrefix(from, prefix), "\x00")
	if t, terr := writeContinue(-1, start); terr == nil {
		err.ErrStatus.ListMeta.Continue = t
	}
	return err
}
