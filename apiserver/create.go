package apiserver

import (
	"errors"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/storage/names"

	"coracle/apiserver/admission"
	"coracle/apiserver/registry"
	"coracle/apiserver/wire"
	"coracle/storage/cache"
)

// create stores a new object.
// Source: k8s.io/apiserver/pkg/endpoints/handlers/create.go and registry/generic/registry/store.go.
func (c *call) create() error {
	if c.info.Name != "" {
		return methodNotAllowed()
	}
	f, err := wire.Negotiate(c.r, c.offer())
	if err != nil {
		return err
	}
	var opts metav1.CreateOptions
	if err := decodeOptions(c.r.URL.Query(), &opts); err != nil {
		return err
	}
	obj := c.kind.New()
	if err := c.decode(obj, c.kind.GroupVersionKind, opts.FieldValidation); err != nil {
		return err
	}
	if m, err := meta.Accessor(obj); err == nil {
		m.SetDeletionTimestamp(nil)
		m.SetDeletionGracePeriodSeconds(nil)
	}
	c.setDefaults(obj) // what is defaulted is owned as well
	c.own(obj, nil, opts.FieldManager)
	e, obj, err := c.createObject(obj, &opts)
	if err != nil {
		return err
	}
	if e == nil { // a dry run: there is nothing but the object
		return c.sendObject(f, http.StatusCreated, obj)
	}
	return c.sendEntry(f, http.StatusCreated, e)
}

// decode reads the request's body into obj.
func (c *call) decode(obj runtime.Object, want schema.GroupVersionKind, validation string) error {
	body, err := c.readBody()
	if err != nil {
		return err
	}
	if err := c.read(body, want, obj, validation); err != nil {
		return err
	}
	c.auditRequest(obj, want, want == c.kind.GroupVersionKind)
	return nil
}

// read reads bytes into obj. What the client should know of them goes with the answer as warnings.
func (c *call) read(body wire.Body, want schema.GroupVersionKind, obj runtime.Object, validation string) error {
	warnings, err := c.Codec.Decode(body, want, obj, wire.Strictness(fieldValidation(validation)), c.coerce(want))
	warnAll(c.r.Context(), warnings)
	return err
}

// coerce is how a custom resource is brought into its schema's form; nil for all others.
func (c *call) coerce(want schema.GroupVersionKind) wire.Coerce {
	if c.kind.Custom != nil && want == c.kind.GroupVersionKind {
		return c.kind.Custom.Coerce
	}
	return nil
}

// createObject takes a decoded and defaulted object through admission and validation into the store. What admission
// added is defaulted again.
// Of a dry run it returns the object alone.
func (c *call) createObject(obj runtime.Object, opts *metav1.CreateOptions) (*cache.Entry, runtime.Object, error) {
	m, err := meta.Accessor(obj)
	if err != nil {
		return nil, nil, apierrors.NewInternalError(err)
	}
	if m.GetResourceVersion() != "" {
		return nil, nil, plain("resourceVersion should not be set on objects to be created")
	}
	m.SetUID("")
	m.SetSelfLink("")
	m.SetCreationTimestamp(metav1.Time{})
	m.SetDeletionTimestamp(nil)
	m.SetDeletionGracePeriodSeconds(nil)
	if err := c.matchNamespace(m); err != nil {
		return nil, nil, err
	}

	if err := c.refuseTerminating(m.GetName()); err != nil {
		return nil, nil, err
	}
	a := c.attributes(admission.Create, opts, dryRun(opts.DryRun))
	a.Name, a.Object = m.GetName(), obj
	if c.kind.Group == "" && c.kind.Resource == "namespaces" {
		a.Namespace = m.GetName()
	}
	if err := c.mutate(a, m); err != nil {
		return nil, nil, err
	}
	c.rec.Mark("admission: mutate", c.now())

	generate := m.GetGenerateName() != "" && m.GetName() == ""
	const attempts = 8 // as upstream: a name that is taken is drawn again
	for n := 1; ; n++ {
		if generate && c.kind.Strategy.GivenNames {
			m.SetName(m.GetGenerateName())
		} else if generate {
			m.SetName(names.SimpleNameGenerator.GenerateName(m.GetGenerateName()))
		}
		e, err := c.tryCreate(obj, m, a)
		if !generate || !apierrors.IsAlreadyExists(err) {
			return e, obj, err
		}
		if n == attempts {
			return nil, nil, apierrors.NewGenerateNameConflict(c.kind.Qualified(), m.GetName(), 1)
		}
	}
}

func (c *call) tryCreate(obj runtime.Object, m metav1.Object, a *admission.Attributes) (*cache.Entry, error) {
	m.SetUID(newUID())
	m.SetCreationTimestamp(metav1.Time{Time: c.Now().Truncate(0)}.Rfc3339Copy())
	st := c.kind.Strategy
	if st.PrepareForCreate != nil {
		st.PrepareForCreate(obj)
	}
	if st.Requester != nil {
		st.Requester(obj, a.User)
	}
	c.setDefaults(obj)
	if st.Generation && !st.CountsOn { // of other kinds it is the client's
		m.SetGeneration(1)
	}
	if err := c.validateCreate(obj, m); err != nil {
		return nil, err
	}
	if st.Warnings != nil {
		for _, text := range st.Warnings(obj, nil) {
			warn(c.r.Context(), text)
		}
	}
	a.Name = m.GetName()
	if err := c.validate(a); err != nil {
		return nil, err
	}
	c.dropEmpty(obj)
	c.rec.Mark("default, validate", c.now())
	if a.DryRun {
		if c.Registry.Has(c.kind, m.GetNamespace(), m.GetName()) {
			return nil, c.goingAs(m, apierrors.NewAlreadyExists(c.kind.Qualified(), m.GetName()))
		}
		return nil, nil
	}
	e, err := c.Registry.Create(c.r.Context(), c.kind, obj)
	if errors.Is(err, registry.ErrTooLarge) && c.info.Verb != "patch" { // who owns what can be large, and need not be known of what nobody applies
		m.SetManagedFields(nil)
		e, err = c.Registry.Create(c.r.Context(), c.kind, obj)
	}
	if err != nil {
		return nil, c.goingAs(m, err)
	}
	c.rec.Revision = e.Revision
	c.rec.Mark("store", c.now())
	return e, nil
}

// goingAs adds to the error of a name that is taken that its object is on its way out.
func (c *call) goingAs(m metav1.Object, err error) error {
	taken, ok := err.(*apierrors.StatusError)
	if !ok || !apierrors.IsAlreadyExists(err) {
		return err
	}
	e, failed := c.Registry.Get(c.kind, m.GetNamespace(), m.GetName())
	if failed != nil {
		return err
	}
	if there, failed := c.Registry.Object(c.kind, e); failed == nil && deleting(there) {
		taken.ErrStatus.Message = "object is being deleted: " + taken.ErrStatus.Message
	}
	return taken
}

// matchNamespace puts the object into the request's namespace, and refuses one that names another.
func (c *call) matchNamespace(m metav1.Object) error {
	want := ""
	if c.kind.Namespaced {
		want = c.info.Namespace
	}
	switch got := m.GetNamespace(); {
	case want == "" || got == "":
		m.SetNamespace(want)
	case got != want:
		return apierrors.NewBadRequest("the namespace of the provided object does not match the namespace sent on the request")
	}
	return nil
}

func (c *call) setDefaults(obj runtime.Object) {
	if d := c.kind.Strategy.Default; d != nil {
		d(obj)
	}
}
