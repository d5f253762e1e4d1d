package apiserver

import (
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/storage/names"

	"coracle/apiserver/catalog"
	"coracle/apiserver/wire"
)

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
	if err := c.matchNamespace(b); err != nil {
		return err
	}
	return c.assign(f, b, opts)
}

// bindByName is bind at the older path /bindings, where the body says which pod is meant.
func (c *call) bindByName() error {
	b := &corev1.Binding{}
	f, err := wire.Negotiate(c.r, c.offer())
	if err != nil {
		return err
	}
	var opts metav1.CreateOptions
	if err := decodeOptions(c.r.URL.Query(), &opts); err != nil {
		return err
	}
	if err := c.decode(b, c.kind.GroupVersionKind, opts.FieldValidation); err != nil {
		return err
	}
	if err := c.matchNamespace(b); err != nil {
		return err
	}
	info := *c.info
	info.Name = b.Name
	if info.Name == "" && b.GenerateName != "" {
		info.Name = names.SimpleNameGenerator.GenerateName(b.GenerateName)
	}
	pods := *c
	pods.info = &info
	pods.kind = c.Catalog.ByResource(schema.GroupVersionResource{Version: "v1", Resource: "pods"})
	pods.sub, _ = pods.kind.Subresource("binding")
	return pods.assign(f, b, &opts)
}

// assign puts the pod that the request names on the node that b names.
func (c *call) assign(f wire.Format, b *corev1.Binding, opts *metav1.CreateOptions) error {
	if errs := validateBinding(b); len(errs) > 0 {
		return plain(catalog.Told(errs).ToAggregate().Error()) // as it is, upstream as well
	}
	if err := c.admit(b, opts); err != nil {
		return err
	}
	if err := c.place(b, dryRun(opts.DryRun)); err != nil {
		return err
	}
	c.send(c.w, f, http.StatusCreated, &metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusSuccess,
		Code:     http.StatusCreated,
	})
	return nil
}

// place writes into a pod where it runs. Nobody comes to own that, and the pod's generation stays: it is as if the pod had been
// created so.
func (c *call) place(b *corev1.Binding, dry bool) error {
	for {
		current, err := c.Registry.Get(c.kind, c.info.Namespace, c.info.Name)
		if err != nil {
			return err
		}
		old, err := c.Registry.Object(c.kind, current)
		if err != nil {
			return err
		}
		pod := old.DeepCopyObject().(*corev1.Pod)
		if err := c.placeable(pod, b); err != nil || dry {
			return err
		}
		pod.Spec.NodeName, pod.Status.NominatedNodeName = b.Target.Name, ""
		for k, v := range b.Annotations {
			metav1.SetMetaDataAnnotation(&pod.ObjectMeta, k, v)
		}
		for k, v := range b.Labels {
			metav1.SetMetaDataLabel(&pod.ObjectMeta, k, v)
		}
		setPodScheduled(pod, metav1.NewTime(c.Now()))
		e, err := c.Registry.Update(c.r.Context(), c.kind, pod, current)
		if retry(err) {
			continue
		}
		if err != nil {
			return c.conflict(err)
		}
		c.rec.Revision = e.Revision
		return nil
	}
}

// placeable tells why a pod cannot be put on a node.
func (c *call) placeable(pod *corev1.Pod, b *corev1.Binding) error {
	refused := func(why string, about ...any) error {
		return apierrors.NewConflict(schema.GroupResource{Resource: "pods/binding"}, pod.Name, fmt.Errorf(why, about...))
	}
	switch {
	case b.UID != "" && b.UID != pod.UID:
		return preconditionFailed(c, false, fmt.Sprintf("Precondition failed: UID in precondition: %v, UID in object meta: %v", b.UID, pod.UID))
	case b.ResourceVersion != "" && b.ResourceVersion != pod.ResourceVersion:
		return preconditionFailed(c, false, fmt.Sprintf("Precondition failed: ResourceVersion in precondition: %v, ResourceVersion in object meta: %v", b.ResourceVersion, pod.ResourceVersion))
	case pod.DeletionTimestamp != nil:
		return refused("pod %s is being deleted, cannot be assigned to a host", pod.Name)
	case pod.Spec.NodeName != "":
		return refused("pod %v is already assigned to node %q", pod.Name, pod.Spec.NodeName)
	case len(pod.Spec.SchedulingGates) != 0:
		return refused("pod %v has non-empty .spec.schedulingGates", pod.Name)
	}
	return nil
}

func validateBinding(b *corev1.Binding) field.ErrorList {
	var errs field.ErrorList
	if kind := b.Target.Kind; kind != "" && kind != "Node" {
		errs = append(errs, field.NotSupported(field.NewPath("target", "kind"), kind, []string{"Node", "<empty>"}))
	}
	if b.Target.Name == "" {
		errs = append(errs, field.Required(field.NewPath("target", "name"), ""))
	} else if b.Target.Kind == "" || b.Target.Kind == "Node" {
		for _, text := range validation.NameIsDNSSubdomain(b.Target.Name, false) {
			errs = append(errs, field.Invalid(field.NewPath("target", "name"), b.Target.Name, text))
		}
	}
	return errs
}

func setPodScheduled(pod *corev1.Pod, now metav1.Time) {
	cond := corev1.PodCondition{
		Type: corev1.PodScheduled, Status: corev1.ConditionTrue,
		LastTransitionTime: now.Rfc3339Copy(),
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
