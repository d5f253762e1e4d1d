package match

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coracle/apiserver/admission"
	"coracle/apiserver/catalog"
)

// Request is what webhooks and policies are asked about, in the versions that they want.
type Request struct {
	A       *admission.Attributes
	Catalog *catalog.Catalog

	alike  []*catalog.Kind
	looked bool
	shown  map[*catalog.Kind]*Shown
}

// Shown is a request's objects in one version, nil where there is none. Nobody may change them.
type Shown struct{ Object, Old runtime.Object }

// equivalents are the other resources that are the same objects: of other versions, or of the other group of events.
func (r *Request) equivalents() []*catalog.Kind {
	if !r.looked {
		r.looked = true
		for _, k := range r.Catalog.Kinds() {
			if k == r.A.Kind || k.GroupResource() != r.A.Kind.GroupResource() {
				continue
			}
			if _, has := k.Subresource(r.A.Subresource); has || r.A.Subresource == "" {
				r.alike = append(r.alike, k)
			}
		}
	}
	return r.alike
}

// As is the kind of the objects when they are shown as a resource.
func (r *Request) As(k *catalog.Kind) schema.GroupVersionKind {
	if r.A.As.Empty() {
		return k.GroupVersionKind
	}
	return r.A.As
}

// In returns the objects as a resource has them. It is not for several at once, unless it has been called for that resource.
func (r *Request) In(k *catalog.Kind) (*Shown, error) {
	if s := r.shown[k]; s != nil {
		return s, nil
	}
	s := &Shown{}
	var err error
	if s.Object, err = r.Convert(r.A.Object, r.A.Kind, k); err != nil {
		return nil, err
	}
	if s.Old, err = r.Convert(r.A.Old, r.A.Kind, k); err != nil {
		return nil, err
	}
	if r.shown == nil {
		r.shown = map[*catalog.Kind]*Shown{}
	}
	r.shown[k] = s
	return s, nil
}

// Convert returns an object of one resource as another has it, the same where nothing differs.
func (r *Request) Convert(obj runtime.Object, from, to *catalog.Kind) (runtime.Object, error) {
	if obj == nil {
		return nil, nil
	}
	want := r.As(to)
	if from == to || !r.A.As.Empty() {
		return Named(obj, want), nil
	}
	out := obj.DeepCopyObject()
	var err error
	if from.ToStored != nil {
		if out, err = from.ToStored(out); err != nil {
			return nil, fmt.Errorf("unable to convert to %s: %w", want, err)
		}
	}
	if to.FromStored != nil {
		if out, err = to.FromStored(out); err != nil {
			return nil, fmt.Errorf("unable to convert to %s: %w", want, err)
		}
	}
	out.GetObjectKind().SetGroupVersionKind(want)
	return out, nil
}

// Named returns an object that says of which kind it is: the object itself, or, since it may be shared, a copy.
func Named(obj runtime.Object, kind schema.GroupVersionKind) runtime.Object {
	if obj.GetObjectKind().GroupVersionKind() == kind {
		return obj
	}
	obj = obj.DeepCopyObject()
	obj.GetObjectKind().SetGroupVersionKind(kind)
	return obj
}

// Options are the request's, under their name, nil for none. A patch is an update.
func (r *Request) Options() runtime.Object {
	meta := func(kind string) metav1.TypeMeta {
		return metav1.TypeMeta{Kind: kind, APIVersion: metav1.SchemeGroupVersion.String()}
	}
	switch o := r.A.Options.(type) {
	case *metav1.CreateOptions:
		out := *o
		out.TypeMeta = meta("CreateOptions")
		return &out
	case *metav1.UpdateOptions:
		out := *o
		out.TypeMeta = meta("UpdateOptions")
		return &out
	case *metav1.PatchOptions:
		return &metav1.UpdateOptions{TypeMeta: meta("UpdateOptions"), DryRun: o.DryRun, FieldManager: o.FieldManager, FieldValidation: o.FieldValidation}
	case *metav1.DeleteOptions:
		out := *o
		out.TypeMeta = meta("DeleteOptions")
		return &out
	}
	return nil
}
