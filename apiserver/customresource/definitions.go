package customresource

import (
	"bytes"
	"crypto/x509"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coracle/apiserver/callout"
	"coracle/apiserver/catalog"
	"coracle/storage/cache"
)

// Objects are the stored objects, as far as definitions need them.
type Objects interface {
	// Subscribe calls f for everything of a resource that there is, and for every later change before it can be read.
	Subscribe(gr schema.GroupResource, f func(*cache.Event))
}

// Definitions keeps the catalog's rows in step with the CustomResourceDefinitions that are stored. Its methods may be
// called from many goroutines.
type Definitions struct {
	catalog *catalog.Catalog
	builtin []*catalog.Kind
	dial    callout.DialService
	now     func() time.Time
	log     *slog.Logger
	changed chan struct{} // holds one wish to look for work

	mu  sync.Mutex
	all map[string]*definition // by the object's name
}

// Serve begins to serve the definitions that are stored, and gives the catalog's row of definitions what only a look at
// all of them can tell. Webhooks that are Services are reached by dial. It must be called before the first request.
func Serve(c *catalog.Catalog, objects Objects, dial callout.DialService, now func() time.Time, log *slog.Logger) *Definitions {
	d := &Definitions{
		catalog: c, builtin: slices.Clone(c.Kinds()), dial: dial, now: now, log: log,
		changed: make(chan struct{}, 1), all: map[string]*definition{},
	}
	gvk := apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition")
	row := c.ByKind(gvk)
	d.watchOver(&row.Strategy)
	objects.Subscribe(row.GroupResource(), d.follow)
	return d
}

// watchOver adds to the strategy of definitions what their names and their deletion mean for each other.
func (d *Definitions) watchOver(st *catalog.Strategy) {
	create, update := st.PrepareForCreate, st.PrepareForUpdate
	st.PrepareForCreate = func(obj runtime.Object) {
		create(obj)
		d.accept(obj.(*apiextensionsv1.CustomResourceDefinition))
	}
	st.PrepareForUpdate = func(obj, old runtime.Object) {
		update(obj, old)
		crd := obj.(*apiextensionsv1.CustomResourceDefinition)
		// The status is still the old object's, which is shared.
		crd.Status = *crd.Status.DeepCopy()
		d.accept(crd)
	}
	st.PrepareForDelete = func(obj runtime.Object) { d.terminate(obj.(*apiextensionsv1.CustomResourceDefinition)) }
}

// accept gives a definition its conditions.
func (d *Definitions) accept(crd *apiextensionsv1.CustomResourceDefinition) {
	if crd.Name == "" {
		return // to be generated, which definitions' names cannot be: validation says so
	}
	if !named(crd) {
		acceptNames(crd, d.others(crd), d.now())
	} else if !isTrue(crd, apiextensionsv1.Established) {
		establish(crd, isTrue(crd, apiextensionsv1.NamesAccepted), d.now())
	}
	if c := approval(crd); c != nil {
		setCondition(crd, *c, d.now())
	}
	if len(crd.ManagedFields) > 0 { // else nobody wants to know
		if err := ownStatus(crd, d.now()); err != nil {
			d.log.Error("the owner of a definition's status is not noted", "definition", crd.Name, "error", err)
		}
	}
}

// others are the names that the other definitions of the group have.
func (d *Definitions) others(crd *apiextensionsv1.CustomResourceDefinition) taken {
	d.mu.Lock()
	defer d.mu.Unlock()
	var others []*apiextensionsv1.CustomResourceDefinition
	for name, def := range d.all {
		if name != crd.Name && def.group == crd.Spec.Group {
			others = append(others, def.crd)
		}
	}
	return namesOf(others)
}

// terminate marks a definition whose objects are to be deleted first.
func (d *Definitions) terminate(crd *apiextensionsv1.CustomResourceDefinition) {
	if !slices.Contains(crd.Finalizers, apiextensionsv1.CustomResourceCleanupFinalizer) {
		crd.Finalizers = append(crd.Finalizers, apiextensionsv1.CustomResourceCleanupFinalizer)
	}
	crd.DeletionGracePeriodSeconds = nil
	crd.Generation-- // upstream marks definitions in a way of its own, which counts as no change
	setCondition(crd, terminating(apiextensionsv1.ConditionTrue, "InstanceDeletionPending",
		"CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"), d.now())
}

func terminating(status apiextensionsv1.ConditionStatus, reason, message string) apiextensionsv1.CustomResourceDefinitionCondition {
	return apiextensionsv1.CustomResourceDefinitionCondition{Type: apiextensionsv1.Terminating, Status: status, Reason: reason, Message: message}
}

// follow takes one change of a definition over into the catalog.
func (d *Definitions) follow(e *cache.Event) {
	v, err := e.Entry.Object()
	if err != nil {
		d.log.Error("a CustomResourceDefinition cannot be read, so its kind is not served", "key", e.Entry.Key, "error", err)
		return
	}
	crd, ok := v.(*apiextensionsv1.CustomResourceDefinition)
	if !ok {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.all[crd.Name]
	if e.Type == cache.Deleted {
		delete(d.all, crd.Name)
	} else if old != nil && old.crd.UID == crd.UID && old.hash == hashOf(crd) {
		same := *old // what is served has not changed, so rows, and watches through them, go on
		same.crd = crd
		d.all[crd.Name] = &same
		d.wake()
		return
	} else {
		writing := &sync.RWMutex{}
		if old != nil && old.crd.UID == crd.UID {
			writing = old.writing
		}
		d.all[crd.Name] = newDefinition(crd, writing, d.dial, d.now)
	}
	d.publish()
	if old != nil {
		close(old.replaced)
	}
	d.wake()
}

// publish makes the catalog's custom rows those of all definitions. Of two that claim the same place the one that was
// there first has it.
func (d *Definitions) publish() {
	defs := slices.SortedFunc(maps.Values(d.all), func(a, b *definition) int {
		if n := a.crd.CreationTimestamp.Compare(b.crd.CreationTimestamp.Time); n != 0 {
			return n
		}
		return bytes.Compare([]byte(a.crd.UID), []byte(b.crd.UID))
	})
	var rows []*catalog.Kind
	kinds := map[schema.GroupVersionKind]bool{}
	for _, def := range defs {
		if d.shadows(def) {
			continue
		}
		for _, row := range def.rows {
			if !kinds[row.GroupVersionKind] {
				kinds[row.GroupVersionKind] = true
				rows = append(rows, row)
			}
		}
	}
	slices.SortStableFunc(rows, compareRows)
	d.catalog.Replace(func(k *catalog.Kind) bool { return k.Custom != nil }, rows...)
}

// shadows tells whether a definition claims what is built in: a group and version, or the place where the objects of a
// built-in resource are kept. Serving it would give whoever may write definitions another way to those objects.
func (d *Definitions) shadows(def *definition) bool {
	for _, k := range d.builtin {
		if k.GroupResource() == def.resource() || k.Qualified() == def.resource() {
			return true
		}
		if k.Group == def.group && def.versions[k.Version] != nil {
			return true
		}
	}
	return false
}

// wake tells the cleaner that there may be work.
func (d *Definitions) wake() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// snapshot are all definitions as they are now.
func (d *Definitions) snapshot() []*definition {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Values(d.all))
}

// certificates tells whether a bundle is empty or holds certificates.
func certificates(bundle []byte) bool {
	bundle = bytes.TrimSpace(bundle)
	return len(bundle) == 0 || x509.NewCertPool().AppendCertsFromPEM(bundle)
}
