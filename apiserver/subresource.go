package apiserver

import (
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

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
	case "log", "exec", "attach", "portforward", "proxy":
		return (*call).connect
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

// connect is the way to a container, which a node has to offer.
func (c *call) connect() error {
	return apierrors.NewInternalError(fmt.Errorf("the simulated nodes do not serve %s/%s yet", c.kind.Resource, c.sub.Name))
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
	return &admission.Attributes{
		Operation: admission.Create, Kind: c.kind, Subresource: c.sub.Name,
		Namespace: c.info.Namespace, Name: c.info.Name, Object: obj, Options: opts,
		DryRun: dryRun(opts.DryRun), User: userOf(c.r),
		Warn: func(text string) { warn(c.r.Context(), text) },
	}
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

// bind is how a scheduler puts a pod on a node.
// Source: k8s.io/kubernetes/pkg/registry/core/pod/storage (BindingREST).
func (c *call) bind() error {
	b := &corev1.Binding{}
	f, opts, err := c.decodeCreate(b)
	if err != nil {
		return err
	}
	if b.Name != "" && b.Name != c.info.Name {
		return apierrors.NewBadRequest("name in URL does not match name in Binding object")
	}
	if errs := validateBinding(b); len(errs) > 0 {
		return apierrors.NewInvalid(b.GroupVersionKind().GroupKind(), b.Name, errs)
	}
	if err := c.admit(b, opts); err != nil {
		return err
	}
	_, _, err = c.applyChange(change{
		options: opts,
		dryRun:  dryRun(opts.DryRun),
		next: func(old runtime.Object, _ []byte) (runtime.Object, error) {
			pod := old.DeepCopyObject().(*corev1.Pod)
			switch {
			case b.UID != "" && b.UID != pod.UID:
				return nil, preconditionFailed(c, fmt.Sprintf("Precondition failed: UID in precondition: %v, UID in object meta: %v", b.UID, pod.UID))
			case pod.DeletionTimestamp != nil:
				return nil, preconditionFailed(c, fmt.Sprintf("pod %s is being deleted, cannot be assigned to a host", pod.Name))
			case pod.Spec.NodeName != "":
				return nil, preconditionFailed(c, fmt.Sprintf("pod %v is already assigned to node %q", pod.Name, pod.Spec.NodeName))
			case len(pod.Spec.SchedulingGates) != 0:
				return nil, preconditionFailed(c, fmt.Sprintf("pod %v has non-empty .spec.schedulingGates", pod.Name))
			}
			pod.Spec.NodeName = b.Target.Name
			for k, v := range b.Annotations {
				metav1.SetMetaDataAnnotation(&pod.ObjectMeta, k, v)
			}
			setPodScheduled(pod, metav1.NewTime(c.Now()))
			return pod, nil
		},
	})
	if err != nil {
		return err
	}
	c.send(c.w, f, http.StatusCreated, &metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusSuccess,
		Code:     http.StatusCreated,
	})
	return nil
}

func validateBinding(b *corev1.Binding) field.ErrorList {
	var errs field.ErrorList
	if kind := b.Target.Kind; kind != "" && kind != "Node" {
		errs = append(errs, field.NotSupported(field.NewPath("target", "kind"), kind, []string{"Node", "<empty>"}))
	}
	if b.Target.Name == "" {
		errs = append(errs, field.Required(field.NewPath("target", "name"), ""))
	}
	return errs
}

func setPodScheduled(pod *corev1.Pod, now metav1.Time) {
	cond := corev1.PodCondition{
		Type: corev1.PodScheduled, Status: corev1.ConditionTrue,
		LastTransitionTime: now.Rfc3339Copy(), ObservedGeneration: pod.Generation,
	}
	for i, have := range pod.Status.Conditions {
		if have.Type == corev1.PodScheduled {
			if have.Status == cond.Status {
				cond.LastTransitionTime = have.LastTransitionTime
			}
			pod.Status.Conditions[i] = cond
			return
		}
	}
	pod.Status.Conditions = append(pod.Status.Conditions, cond)
}
