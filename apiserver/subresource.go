package apiserver

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"coracle/apiserver/admission"
	"coracle/apiserver/wire"
)

// subresource is the function for a subresource and the request's verb, nil for none.
func (c *call) subresource() func(*call) error {
	switch c.sub.Name {
	case "scale":
		return (*call).scale
	case "token":
		return (*call).token
	case "binding":
		return (*call).bind
	case "eviction":
		return (*call).evict
	case "finalize":
		return (*call).finalize
	case "log":
		return (*call).logs
	case "exec", "attach", "portforward":
		return (*call).connect
	case "proxy":
		return (*call).relay
	}
	// status, approval, ephemeralcontainers, resize: the object itself, of which the row says what may change.
	switch c.info.Verb {
	case "get":
		return (*call).get
	case "update":
		return (*call).update
	case "patch":
		return (*call).patch
	}
	return nil
}

// decodeCreate reads the body and the options of a POST to a subresource.
func (c *call) decodeCreate(into runtime.Object) (wire.Format, *metav1.CreateOptions, error) {
	f, err := wire.Negotiate(c.r, wire.Offer{})
	if err != nil {
		return f, nil, err
	}
	var opts metav1.CreateOptions
	if err := decodeOptions(c.r.URL.Query(), &opts); err != nil {
		return f, nil, err
	}
	return f, &opts, c.decode(into, c.sub.Kind, opts.FieldValidation)
}

// admit takes the object of a POST to a subresource through admission.
func (c *call) admit(obj runtime.Object, opts *metav1.CreateOptions) error {
	a := c.posted(obj, opts)
	if err := c.Admission.Mutate(c.r.Context(), a); err != nil {
		return err
	}
	return c.Admission.Validate(c.r.Context(), a)
}

// posted is what admission is told of the object of a POST to a subresource.
func (c *call) posted(obj runtime.Object, opts *metav1.CreateOptions) *admission.Attributes {
	a := c.attributes(admission.Create, opts, dryRun(opts.DryRun))
	a.Object = obj
	return a
}

// finalize is how the namespace controller says that nothing is left in a namespace.
func (c *call) finalize() error {
	f, err := wire.Negotiate(c.r, c.offer())
	if err != nil {
		return err
	}
	var opts metav1.UpdateOptions
	if err := decodeOptions(c.r.URL.Query(), &opts); err != nil {
		return err
	}
	wanted := &corev1.Namespace{}
	if err := c.decode(wanted, c.kind.GroupVersionKind, opts.FieldValidation); err != nil {
		return err
	}
	if wanted.Name != "" && wanted.Name != c.info.Name {
		return apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", wanted.Name, c.info.Name))
	}
	return c.change(f, change{
		options: &opts,
		dryRun:  dryRun(opts.DryRun),
		next: func(old runtime.Object, _ []byte) (runtime.Object, error) {
			ns := old.DeepCopyObject().(*corev1.Namespace)
			ns.ResourceVersion, ns.UID = wanted.ResourceVersion, wanted.UID
			ns.Spec.Finalizers = wanted.Spec.Finalizers
			return ns, nil
		},
	})
}
