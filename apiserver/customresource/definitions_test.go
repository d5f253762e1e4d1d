package customresource

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"coracle/apiserver/catalog"
	"coracle/storage"
	"coracle/storage/cache"
)

// stored hands definitions to whoever subscribes, as the watch cache does: one after the other.
type stored struct {
	mu sync.Mutex
	f  func(*cache.Event)
}

func (s *stored) Subscribe(_ schema.GroupResource, f func(*cache.Event)) { s.f = f }

func (s *stored) tell(t *testing.T, kind cache.EventType, crd *apiextensionsv1.CustomResourceDefinition) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.f(&cache.Event{Type: kind, Entry: entryOf(t, crd)})
}

type decodeDefinition struct{}

func (decodeDefinition) Body(kv storage.KV) ([]byte, error) { return kv.Value, nil }

func (decodeDefinition) Adopt(any, int64) {}

func (decodeDefinition) Decode(_ string, body []byte) (any, error) {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	return crd, json.Unmarshal(body, crd)
}

func entryOf(t *testing.T, crd *apiextensionsv1.CustomResourceDefinition) *cache.Entry {
	t.Helper()
	b, err := json.Marshal(crd)
	if err != nil {
		t.Fatal(err)
	}
	return cache.NewEntry(crd.Name, 1, b, decodeDefinition{})
}

func serve(t *testing.T) (*catalog.Catalog, *stored, *Definitions) {
	t.Helper()
	c, s := catalog.New(catalog.Builtin()), &stored{}
	return c, s, Serve(c, s, nil, func() time.Time { return time.Unix(1e9, 0) }, slog.New(slog.DiscardHandler))
}

func definitionOf(plural, group string, versions ...string) *apiextensionsv1.CustomResourceDefinition {
	crd := &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: plural + "." + group, UID: types.UID(plural + group)},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: group, Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: plural, Singular: plural + "x", Kind: "K" + plural, ListKind: "K" + plural + "List"},
		},
	}
	for i, v := range versions {
		crd.Spec.Versions = append(crd.Spec.Versions, apiextensionsv1.CustomResourceDefinitionVersion{
			Name: v, Served: true, Storage: i == 0,
			Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
				Type: "object",
				Properties: map[string]apiextensionsv1.JSONSchemaProps{
					"spec": {Type: "object", Properties: map[string]apiextensionsv1.JSONSchemaProps{"n": {Type: "integer", Default: &apiextensionsv1.JSON{Raw: []byte("1")}}}},
				},
			}},
		})
	}
	return crd
}

// accepting has the definition's names accepted, as the strategy does at creation.
func accepting(d *Definitions, crd *apiextensionsv1.CustomResourceDefinition) *apiextensionsv1.CustomResourceDefinition {
	d.accept(crd)
	return crd
}

func TestRowsComeAndGoWithTheirDefinition(t *testing.T) {
	c, s, d := serve(t)
	gvr := schema.GroupVersionResource{Group: "a.example.com", Version: "v1", Resource: "things"}
	crd := accepting(d, definitionOf("things", "a.example.com", "v1", "v1beta1"))
	s.tell(t, cache.Added, crd)
	row := c.ByResource(gvr)
	if row == nil {
		t.Fatal("an accepted definition is not served")
	}
	changed := crd.DeepCopy()
	changed.Status.Conditions[0].Message = "another"
	s.tell(t, cache.Modified, changed)
	if c.ByResource(gvr) != row {
		t.Error("a change of the status replaced the row, which ends watches for nothing")
	}
	changed = crd.DeepCopy()
	changed.Spec.Versions[0].Deprecated = true
	s.tell(t, cache.Modified, changed)
	select {
	case <-row.Replaced():
	default:
		t.Error("watches through a row that is no longer served go on")
	}
	s.tell(t, cache.Deleted, changed)
	if c.ByResource(gvr) != nil {
		t.Error("the kind of a deleted definition is still served")
	}
}

func TestDefinitionsCannotShadowWhatIsBuiltIn(t *testing.T) {
	for name, crd := range map[string]*apiextensionsv1.CustomResourceDefinition{
		"by the place in the store":                  definitionOf("clusterroles", "rbac.authorization.k8s.io", "v9"),
		"by group and version":                       definitionOf("others", "rbac.authorization.k8s.io", "v1"),
		"events, which two groups keep in one place": definitionOf("events", "events.k8s.io", "v9"),
	} {
		t.Run(name, func(t *testing.T) {
			c, s, d := serve(t)
			before := len(c.Kinds())
			s.tell(t, cache.Added, accepting(d, crd))
			if got := len(c.Kinds()); got != before {
				t.Errorf("%d kinds are served, want the %d that are built in", got, before)
			}
			if !d.shadows(d.all[crd.Name]) {
				t.Error("the cleaner would delete what is built in")
			}
		})
	}
}

func TestNamesAreGivenOnce(t *testing.T) {
	_, s, d := serve(t)
	first := definitionOf("things", "a.example.com", "v1")
	first.Spec.Names.ShortNames = []string{"th"}
	s.tell(t, cache.Added, accepting(d, first))
	second := definitionOf("others", "a.example.com", "v1")
	second.Spec.Names.ShortNames, second.Spec.Names.Kind = []string{"th"}, first.Spec.Names.Kind
	accepting(d, second)
	cond := condition(second, apiextensionsv1.NamesAccepted)
	if cond.Status != apiextensionsv1.ConditionFalse || cond.Reason != "KindConflict" || cond.Message != `"Kthings" is already in use` {
		t.Errorf("NamesAccepted = %+v", cond)
	}
	if c := condition(second, apiextensionsv1.Established); c.Status != apiextensionsv1.ConditionFalse || c.Reason != "NotAccepted" {
		t.Errorf("Established = %+v", c)
	}
	s.tell(t, cache.Added, second)
	if d.catalog.ByResource(schema.GroupVersionResource{Group: "a.example.com", Version: "v1", Resource: "others"}) != nil {
		t.Error("a definition without its names is served")
	}
}

// Definitions come and go while objects are read and written through whatever row is there.
func TestRowsMayBeUsedWhileDefinitionsChange(t *testing.T) {
	c, s, d := serve(t)
	const kinds, rounds = 4, 30
	stop := make(chan struct{})
	var users, writers sync.WaitGroup
	for range 4 {
		users.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				for _, k := range c.Kinds() {
					if k.Custom != nil {
						use(t, k)
					}
				}
			}
		})
	}
	for i := range kinds {
		writers.Go(func() {
			for n := range rounds {
				crd := accepting(d, definitionOf(fmt.Sprintf("things%c", 'a'+i), "a.example.com", "v1", "v2"))
				crd.UID = types.UID(fmt.Sprint(i, n))
				s.tell(t, cache.Added, crd)
				s.tell(t, cache.Deleted, crd)
			}
		})
	}
	writers.Wait()
	close(stop)
	users.Wait()
}

func use(t *testing.T, k *catalog.Kind) {
	obj := k.New().(*unstructured.Unstructured)
	obj.SetName("x")
	obj.SetNamespace("y")
	obj.Object["spec"] = map[string]any{"n": int64(2), "unknown": true}
	if _, err := k.Custom.Coerce(obj, true); err != nil {
		t.Error(err)
	}
	k.Strategy.Default(obj)
	if errs := k.Strategy.Validate(obj); len(errs) > 0 {
		t.Error(errs)
	}
	kept, err := k.ToStored(obj)
	if err != nil {
		t.Error(err)
		return
	}
	if _, err := k.FromStored(kept); err != nil {
		t.Error(err)
	}
	if m, err := k.Custom.Managers(""); err != nil {
		t.Error(err)
	} else if got := m.UpdateNoErrors(k.New(), obj, "test"); got == runtime.Object(nil) {
		t.Error("no object")
	}
}
