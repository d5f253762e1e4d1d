package apiserver

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"coracle/apiserver/admission"
	"coracle/apiserver/fieldowner"
	"coracle/apiserver/registry"
	"coracle/apiserver/wire"
	"coracle/storage/cache"
)

// update replaces an object, or its status.
func (c *call) update() error {
	f, err := wire.Negotiate(c.r, c.offer())
	if err != nil {
		return err
	}
	var opts metav1.UpdateOptions
	if err := decodeOptions(c.r.URL.Query(), &opts); err != nil {
		return err
	}
	obj := c.kind.New()
	if err := c.decode(obj, c.kind.GroupVersionKind, opts.FieldValidation); err != nil {
		return err
	}
	m, err := meta.Accessor(obj)
	if err != nil {
		return apierrors.NewInternalError(err)
	}
	switch {
	case m.GetName() == "":
		return apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s based on URL) was undeterminable: name must be provided", c.info.Name))
	case m.GetName() != c.info.Name:
		return apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", m.GetName(), c.info.Name))
	}
	if err := c.matchNamespace(m); err != nil {
		return err
	}
	if c.kind.Strategy.AllowCreateOnUpdate && c.sub.Name == "" && !c.Registry.Has(c.kind, c.info.Namespace, c.info.Name) {
		if m.GetUID() != "" {
			return preconditionFailed(c, dryRun(opts.DryRun), fmt.Sprintf("Precondition failed: UID in precondition: %v, UID in object meta: ", m.GetUID()))
		}
		if m.GetResourceVersion() != "" {
			return apierrors.NewNotFound(c.kind.Qualified(), c.info.Name)
		}
		return c.createByUpdate(f, obj, &opts)
	}
	if c.kind.Strategy.RequireVersion && m.GetResourceVersion() == "" && c.Registry.Has(c.kind, c.info.Namespace, c.info.Name) {
		return c.refuseUnversioned()
	}
	return c.change(f, change{
		next:    func(runtime.Object, []byte) (runtime.Object, error) { return obj.DeepCopyObject(), nil },
		options: &opts,
		dryRun:  dryRun(opts.DryRun),
	})
}

// createByUpdate creates the object of a PUT to a name that is free.
func (c *call) createByUpdate(f wire.Format, obj runtime.Object, opts *metav1.UpdateOptions) error {
	if err := c.mayCreate(); err != nil {
		return err
	}
	c.setDefaults(obj)
	c.own(obj, nil, opts.FieldManager)
	e, obj, err := c.createObject(obj, &metav1.CreateOptions{DryRun: opts.DryRun, FieldManager: opts.FieldManager, FieldValidation: opts.FieldValidation})
	if err != nil {
		return err
	}
	if e == nil {
		return c.sendObject(f, http.StatusCreated, obj)
	}
	return c.sendEntry(f, http.StatusCreated, e)
}

// change is one modification of a stored object, however the client expressed it.
type change struct {
	// next makes the wanted state from the present one, which it must not modify, and of which stored is the JSON if that is
	// at hand. It is called again when somebody else's write came first.
	next    func(old runtime.Object, stored []byte) (runtime.Object, error)
	options runtime.Object
	dryRun  bool
	applied bool // next has noted the fields' owners itself
}

// change applies a change and answers with the result.
func (c *call) change(f wire.Format, ch change) error {
	e, obj, err := c.applyChange(ch)
	if err != nil {
		return err
	}
	if e == nil {
		return c.sendObject(f, http.StatusOK, obj)
	}
	return c.sendEntry(f, http.StatusOK, e)
}

// applyChange takes the new state through admission, defaulting and validation into the store. Of a dry run,
// and of a change that let the object go, it returns the object alone.
func (c *call) applyChange(ch change) (*cache.Entry, runtime.Object, error) {
	for {
		current, err := c.Registry.Get(c.kind, c.info.Namespace, c.info.Name)
		if err != nil {
			return nil, nil, err
		}
		old, err := c.Registry.Object(c.kind, current)
		if err != nil {
			return nil, nil, err
		}
		stored := current.Body
		if c.kind.FromStored != nil {
			stored = nil // of another version
		}
		obj, err := c.prepareUpdate(old, stored, ch)
		if err != nil {
			return nil, nil, err
		}
		m, err := meta.Accessor(obj)
		if err != nil {
			return nil, nil, apierrors.NewInternalError(err)
		}
		if ch.dryRun {
			m.SetResourceVersion(versionOf(old))
			return nil, obj, nil
		}
		if m.GetDeletionTimestamp() != nil && released(c.kind, obj, m) {
			e, err := c.Registry.Delete(c.r.Context(), c.kind, current)
			if retry(err) {
				continue
			}
			if err != nil {
				return nil, nil, c.conflict(err)
			}
			c.rec.Revision = e.Revision
			return nil, obj, nil
		}
		e, err := c.Registry.Update(c.r.Context(), c.kind, obj, current)
		if errors.Is(err, registry.ErrTooLarge) && !ch.applied { // as at creation
			m.SetManagedFields(nil)
			e, err = c.Registry.Update(c.r.Context(), c.kind, obj, current)
		}
		if retry(err) { // a version that the client named is compared again
			continue
		}
		if err != nil {
			return nil, nil, c.conflict(err)
		}
		c.rec.Revision = e.Revision
		c.rec.Mark("store", c.now())
		return e, obj, nil
	}
}

// prepareUpdate makes the state that is to be stored. A client that names the version that it
// changes is told of a conflict; for all others it is made again from the state that came first.
func (c *call) prepareUpdate(old runtime.Object, stored []byte, ch change) (obj runtime.Object, err error) {
	obj, err = ch.next(old, stored)
	if err != nil {
		return nil, err
	}
	m, err := meta.Accessor(obj)
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	oldMeta, err := meta.Accessor(old)
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	if m.GetName() == "" {
		return nil, nameMissing(c)
	}
	if m.GetName() != c.info.Name {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", m.GetName(), c.info.Name))
	}
	explicit := m.GetResourceVersion() != "" && m.GetResourceVersion() != "0"
	if uid := m.GetUID(); uid != "" && uid != oldMeta.GetUID() {
		if _, patched := ch.options.(*metav1.PatchOptions); patched { // a precondition is of an update alone
			return nil, apierrors.NewInvalid(c.kind.GroupVersionKind.GroupKind(), c.info.Name, field.ErrorList{
				field.Invalid(field.NewPath("metadata", "uid"), uid, "field is immutable"),
			})
		}
		return nil, preconditionFailed(c, ch.dryRun, fmt.Sprintf("Precondition failed: UID in precondition: %v, UID in object meta: %v", uid, oldMeta.GetUID()))
	}
	if err := versionIsNumber(m.GetResourceVersion()); err != nil {
		return nil, err
	}
	if explicit && m.GetResourceVersion() != oldMeta.GetResourceVersion() {
		return nil, modified(c)
	}
	if err := c.matchNamespace(m); err != nil {
		return nil, err
	}
	c.setDefaults(obj)
	if !ch.applied {
		c.own(obj, old, managerOf(ch.options))
	}
	a := c.attributes(admission.Update, ch.options, ch.dryRun)
	a.Object, a.Old = obj, old
	if err := c.mutate(a, m); err != nil {
		return nil, err
	}
	c.carryOver(obj, old, m, oldMeta)
	c.setDefaults(obj)
	if err := fieldowner.KeepTimes(obj, old); err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	if st := c.kind.Strategy; st.Generation && (!sameButStatus(obj, old, st.CountsEmpty) || st.CountsStatus && !sameStatus(obj, old) ||
		st.CountsLabels && !apiequality.Semantic.DeepEqual(m.GetLabels(), oldMeta.GetLabels()) ||
		st.CountsAnnotations && !apiequality.Semantic.DeepEqual(m.GetAnnotations(), oldMeta.GetAnnotations())) {
		m.SetGeneration(oldMeta.GetGeneration() + 1)
	}
	if err := c.validateUpdate(obj, old, m, oldMeta); err != nil {
		return nil, err
	}
	if w := c.kind.Strategy.Warnings; w != nil && c.sub.Name == "" {
		for _, text := range w(obj, old) {
			warn(c.r.Context(), text)
		}
	}
	if err := c.validate(a); err != nil {
		return nil, err
	}
	c.dropEmpty(obj)
	return obj, nil
}

func nameMissing(c *call) error {
	return apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s based on URL) was undeterminable: name must be provided", c.info.Name))
}

// versionIsNumber refuses a version that none can be, in upstream's words.
func versionIsNumber(version string) error {
	if version == "" {
		return nil
	}
	if _, err := strconv.ParseUint(version, 10, 64); err != nil {
		return plain(err.Error())
	}
	return nil
}

// managerOf is the field manager that a request's options name.
func managerOf(options runtime.Object) string {
	switch o := options.(type) {
	case *metav1.UpdateOptions:
		return o.FieldManager
	case *metav1.PatchOptions:
		return o.FieldManager
	case *metav1.CreateOptions:
		return o.FieldManager
	}
	return ""
}

// carryOver keeps what an update cannot change.
func (c *call) carryOver(obj, old runtime.Object, m, oldMeta metav1.Object) {
	if _, hasStatus := c.kind.Subresource("status"); hasStatus {
		if c.sub.Name == "status" {
			keepAllButStatus(obj, old)
		} else if c.sub.Name == "" {
			keepStatus(obj, old)
		}
	}
	if c.sub.Name == "" && c.kind.Strategy.PrepareForUpdate != nil {
		c.kind.Strategy.PrepareForUpdate(obj, old)
	}
	if c.sub.Prepare != nil {
		c.sub.Prepare(obj, old)
	}
	if c.sub.Stamp != nil {
		c.sub.Stamp(obj, old, c.Now())
	}
	if c.sub.Name == "status" && c.kind.Strategy.PrepareForStatusUpdate != nil {
		c.kind.Strategy.PrepareForStatusUpdate(obj, old)
	}
	m.SetGeneration(oldMeta.GetGeneration())
	if m.GetUID() == "" { // else it is the same, unless a webhook has changed it
		m.SetUID(oldMeta.GetUID())
	}
	m.SetSelfLink("")
	m.SetCreationTimestamp(oldMeta.GetCreationTimestamp())
	m.SetResourceVersion(oldMeta.GetResourceVersion())
	if t := oldMeta.GetDeletionTimestamp(); t != nil {
		m.SetDeletionTimestamp(t)
	} else {
		m.SetDeletionTimestamp(nil)
	}
	if g := oldMeta.GetDeletionGracePeriodSeconds(); g != nil && m.GetDeletionGracePeriodSeconds() == nil {
		m.SetDeletionGracePeriodSeconds(g)
	} else if g == nil {
		m.SetDeletionGracePeriodSeconds(nil)
	}
	if c.sub.Name == "status" && c.kind.Strategy.StatusKeepsMetadata {
		metav1.ResetObjectMetaForStatus(m, oldMeta)
	}
}

// sameStatus tells whether two states have the same status. Kinds that have Go types are not asked.
func sameStatus(a, b runtime.Object) bool {
	x, ok := a.(runtime.Unstructured)
	y, both := b.(runtime.Unstructured)
	return !ok || !both || apiequality.Semantic.DeepEqual(x.UnstructuredContent()["status"], y.UnstructuredContent()["status"])
}
