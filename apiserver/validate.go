package apiserver

import (
	"time"

	"github.com/google/uuid"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/api/validation/path"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"coracle/apiserver/catalog"
)

func newUID() types.UID { return types.UID(uuid.NewString()) }

// now is the time for measuring; what is written into objects comes from Config.Now.
func (c *call) now() time.Time { return time.Now() }

// validateCreate checks metadata and what the kind's row checks.
func (c *call) validateCreate(obj runtime.Object, m metav1.Object) error {
	var errs field.ErrorList
	if !c.kind.Strategy.ChecksMetadata {
		errs = c.validateMetadata(m)
	}
	if v := c.kind.Strategy.Validate; v != nil {
		errs = append(errs, v(obj)...)
	}
	if c.kind.Strategy.ChecksMetadata && len(errs) == 0 {
		errs = validation.ValidateObjectMetaAccessor(m, c.kind.Namespaced, path.ValidatePathSegmentName, field.NewPath("metadata"))
	}
	return c.invalid(m, errs)
}

// validateUpdate checks a new state by itself and against the old one.
func (c *call) validateUpdate(obj, old runtime.Object, m, oldMeta metav1.Object) error {
	errs := c.validateMetadata(m)
	errs = append(errs, validation.ValidateObjectMetaAccessorUpdate(m, oldMeta, field.NewPath("metadata"))...)
	if c.kind.Strategy.Repeats {
		errs = append(errs, validation.ValidateObjectMetaAccessorUpdate(m, oldMeta, field.NewPath("metadata"))...)
	}
	if c.sub.Validate != nil {
		return c.invalid(m, append(errs, c.sub.Validate(obj, old)...))
	}
	st := c.kind.Strategy
	if st.Ratchet != nil {
		faults := st.Ratchet(obj, old, c.sub.Name == "status", func(text string) { warn(c.r.Context(), text) })
		return c.invalid(m, append(errs, faults...))
	}
	switch c.sub.Name {
	case "binding", "finalize", "scale":
		return c.invalid(m, errs) // the subresource's own function has checked what it changes
	case "status":
		if st.ValidateStatusUpdate != nil {
			errs = append(errs, st.ValidateStatusUpdate(obj, old)...)
		}
		return c.invalid(m, errs)
	}
	if st.Revalidate != nil {
		return c.invalid(m, append(errs, st.Revalidate(obj, old)...))
	}
	if st.Validate != nil {
		errs = append(errs, st.Validate(obj)...)
	}
	if st.ValidateUpdate != nil {
		errs = append(errs, st.ValidateUpdate(obj, old)...)
	}
	return c.invalid(m, errs)
}

func (c *call) validateMetadata(m metav1.Object) field.ErrorList {
	errs := c.kind.ValidateMetadata(m)
	if c.kind.Strategy.NameDeclared {
		for _, e := range errs {
			if e.Field == "metadata.name" {
				field.ErrorList{e}.MarkBeta()
			}
		}
	}
	if len(errs) > 0 {
		return errs
	}
	for _, text := range path.IsValidPathSegmentName(m.GetName()) {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), m.GetName(), text))
	}
	return errs
}

func (c *call) invalid(m metav1.Object, errs field.ErrorList) error {
	if len(errs) == 0 {
		return nil
	}
	if !c.kind.Strategy.Repeats {
		errs = catalog.Ordered(errs)
	}
	return apierrors.NewInvalid(c.kind.Checked(), m.GetName(), errs)
}
