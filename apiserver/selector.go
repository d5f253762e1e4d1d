package apiserver

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coracle/storage/cache"
)

var noKind schema.GroupVersionKind

// matcher tells which objects a client asked for.
type matcher struct {
	labels labels.Selector
	fields fields.Selector
	name   string // of a request for a single object by its path
}

// matcher checks that the fields selected by are ones that the kind can be selected by.
func (c *call) matcher(l labels.Selector, f fields.Selector) (*matcher, error) {
	m := &matcher{labels: l, fields: f, name: c.info.Name}
	if m.labels == nil {
		m.labels = labels.Everything()
	}
	if m.fields == nil {
		m.fields = fields.Everything()
	}
	for _, q := range m.fields.Requirements() {
		own := len(c.kind.FieldNames) > 0 || c.kind.UnknownField != "" // rules of its own, not those that hold for all
		if q.Field == "metadata.name" || q.Field == "metadata.namespace" && (c.kind.Namespaced || !own) || slices.Contains(c.kind.FieldNames, q.Field) {
			continue
		}
		if sentence := c.kind.UnknownField; sentence != "" {
			return nil, apierrors.NewBadRequest(fmt.Sprintf(sentence, q.Field))
		}
		if len(c.kind.FieldNames) > 0 {
			return nil, apierrors.NewBadRequest("field label not supported: " + q.Field)
		}
		return nil, apierrors.NewBadRequest(fmt.Sprintf("%q is not a known field selector: only \"metadata.name\", \"metadata.namespace\"", q.Field))
	}
	return m, nil
}

func (m *matcher) all() bool { return m.labels.Empty() && m.fields.Empty() && m.name == "" }

// entry decodes a stored object only where there is something to look for.
func (m *matcher) entry(c *call, e *cache.Entry) (bool, error) {
	if m.all() {
		return true, nil
	}
	obj, err := c.Registry.Object(c.kind, e)
	if err != nil {
		return false, err
	}
	return m.object(c, obj)
}

func (m *matcher) object(c *call, obj runtime.Object) (bool, error) {
	o, err := meta.Accessor(obj)
	if err != nil {
		return false, err
	}
	if m.name != "" && o.GetName() != m.name || !m.labels.Matches(labels.Set(o.GetLabels())) {
		return false, nil
	}
	if m.fields.Empty() {
		return true, nil
	}
	set := fields.Set{}
	if c.kind.Fields != nil {
		set = c.kind.Fields(obj)
	}
	set["metadata.name"], set["metadata.namespace"] = o.GetName(), o.GetNamespace()
	return m.fields.Matches(set), nil
}

// maxTerms is how many terms and values a selector may have. A request line has room for half a million of them, which take a thousand
// times their size, and are read to find out what is asked for: before it is known who asks.
const maxTerms = 10_000

// checkTerms refuses a selector that has more.
func checkTerms(selector string) error {
	if n := strings.Count(selector, ",") + 1; n > maxTerms {
		return apierrors.NewBadRequest(fmt.Sprintf("a selector may have %d terms and values, and this one has %d", maxTerms, n))
	}
	return nil
}

// checkSelectors refuses a request with a selector that has more.
func checkSelectors(u *url.URL) error {
	if len(u.RawQuery) <= maxTerms {
		return nil
	}
	query := u.Query()
	for _, selector := range slices.Concat(query["labelSelector"], query["fieldSelector"]) {
		if err := checkTerms(selector); err != nil {
			return err
		}
	}
	return nil
}

func parseLabels(selector string) (labels.Selector, error) {
	if err := checkTerms(selector); err != nil {
		return nil, err
	}
	return labels.Parse(selector)
}

func parseFields(selector string) (fields.Selector, error) {
	if err := checkTerms(selector); err != nil {
		return nil, err
	}
	return fields.ParseSelector(selector)
}

// emptyItems makes a list without items say [] rather than null.
func emptyItems(list runtime.Object) {
	v := reflect.ValueOf(list).Elem()
	if v.Kind() != reflect.Struct {
		return
	}
	if items := v.FieldByName("Items"); items.IsValid() && items.IsNil() {
		items.Set(reflect.MakeSlice(items.Type(), 0, 0))
	}
}

// forEach calls f for 0 to n-1, a few at a time, so that their writes can commit together.
func forEach(n int, f func(int)) {
	const atOnce = 64
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			f(i)
		})
	}
	wg.Wait()
}
