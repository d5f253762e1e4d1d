package apiserver

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"coracle/apiserver/wire"
)

// scale is the one subresource by which anything with replicas is scaled the same way.
func (c *call) scale() error {
	f, err := wire.Negotiate(c.r, wire.Offer{})
	if err != nil {
		return err
	}
	switch c.info.Verb {
	case "get":
		e, err := c.Registry.Get(c.kind, c.info.Namespace, c.info.Name)
		if err != nil {
			return err
		}
		obj, err := c.Registry.Object(c.kind, e)
		if err != nil {
			return err
		}
		s, err := c.scaleOf(obj)
		if err != nil {
			return err
		}
		c.send(c.w, f, http.StatusOK, s)
		return nil
	case "update":
		var opts metav1.UpdateOptions
		if err := decodeOptions(c.r.URL.Query(), &opts); err != nil {
			return err
		}
		wanted := &autoscalingv1.Scale{}
		if err := c.decode(wanted, c.sub.Kind, opts.FieldValidation); err != nil {
			return err
		}
		return c.rescale(f, &opts, dryRun(opts.DryRun), func(*autoscalingv1.Scale) (*autoscalingv1.Scale, error) { return wanted, nil })
	case "patch":
		return c.patchScale(f)
	}
	return methodNotAllowed()
}

func (c *call) patchScale(f wire.Format) error {
	var opts metav1.PatchOptions
	if err := decodeOptions(c.r.URL.Query(), &opts); err != nil {
		return err
	}
	media, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	supported := []string{string(types.JSONPatchType), string(types.MergePatchType)}
	if c.kind.Custom == nil {
		supported = append(supported, string(types.StrategicMergePatchType))
	}
	if err != nil || !allows(supported, media) {
		return unsupportedPatch(c.offer(), supported)
	}
	body, err := wire.ReadBody(c.r, c.MaxBody)
	if err != nil {
		return err
	}
	c.auditPatch(body.Bytes, types.PatchType(media))
	apply, err := patcherFor(types.PatchType(media), body.Bytes, &autoscalingv1.Scale{})
	if err != nil {
		return err
	}
	return c.rescale(f, &opts, dryRun(opts.DryRun), func(now *autoscalingv1.Scale) (*autoscalingv1.Scale, error) {
		before, err := json.Marshal(now)
		if err != nil {
			return nil, err
		}
		after, err := apply(before)
		if err != nil {
			return nil, err
		}
		wanted := &autoscalingv1.Scale{}
		_, err = c.Codec.Decode(wire.Body{Bytes: after, ContentType: wire.JSON}, c.sub.Kind, wanted, wire.Strictness(fieldValidation(opts.FieldValidation)), nil)
		return wanted, err
	})
}

// rescale writes the wanted number of replicas into the object.
func (c *call) rescale(f wire.Format, opts runtime.Object, dry bool, next func(*autoscalingv1.Scale) (*autoscalingv1.Scale, error)) error {
	e, obj, err := c.applyChange(change{
		options: opts,
		dryRun:  dry,
		next: func(old runtime.Object) (runtime.Object, error) {
			now, err := c.scaleOf(old)
			if err != nil {
				return nil, err
			}
			wanted, err := next(now)
			if err != nil {
				return nil, err
			}
			if wanted.Name != "" && wanted.Name != c.info.Name {
				return nil, apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", wanted.Name, c.info.Name))
			}
			if wanted.Spec.Replicas < 0 && c.kind.Custom == nil {
				return nil, apierrors.NewInvalid(c.sub.Kind.GroupKind(), c.info.Name, field.ErrorList{
					field.Invalid(field.NewPath("spec", "replicas"), wanted.Spec.Replicas, "must be greater than or equal to 0").WithOrigin("minimum"),
				})
			}
			obj := old.DeepCopyObject()
			m := obj.(metav1.Object)
			if wanted.ResourceVersion != now.ResourceVersion {
				m.SetResourceVersion(wanted.ResourceVersion)
			}
			if wanted.UID != "" {
				m.SetUID(wanted.UID)
			}
			return obj, c.setReplicas(obj, wanted.Spec.Replicas)
		},
	})
	if err != nil {
		return err
	}
	s, err := c.scaleOf(obj)
	if err != nil {
		return err
	}
	if e != nil { // what was stored carries no version of its own
		s.ResourceVersion = strconv.FormatInt(e.Revision, 10)
	}
	c.send(c.w, f, http.StatusOK, s)
	return nil
}

func (c *call) scaleOf(obj runtime.Object) (*autoscalingv1.Scale, error) {
	s := &autoscalingv1.Scale{TypeMeta: metav1.TypeMeta{Kind: "Scale", APIVersion: "autoscaling/v1"}}
	var selector *metav1.LabelSelector
	var replicas *int32
	switch o := obj.(type) {
	case *appsv1.Deployment:
		s.ObjectMeta, replicas, s.Status.Replicas, selector = scaleMeta(&o.ObjectMeta), o.Spec.Replicas, o.Status.Replicas, o.Spec.Selector
	case *appsv1.ReplicaSet:
		s.ObjectMeta, replicas, s.Status.Replicas, selector = scaleMeta(&o.ObjectMeta), o.Spec.Replicas, o.Status.Replicas, o.Spec.Selector
	case *appsv1.StatefulSet:
		s.ObjectMeta, replicas, s.Status.Replicas, selector = scaleMeta(&o.ObjectMeta), o.Spec.Replicas, o.Status.Replicas, o.Spec.Selector
	case *corev1.ReplicationController:
		s.ObjectMeta, replicas, s.Status.Replicas = scaleMeta(&o.ObjectMeta), o.Spec.Replicas, o.Status.Replicas
		s.Status.Selector = labels.SelectorFromSet(o.Spec.Selector).String()
	default:
		return c.customScale(obj)
	}
	if replicas != nil {
		s.Spec.Replicas = *replicas
	}
	if selector != nil {
		sel, err := metav1.LabelSelectorAsSelector(selector)
		if err != nil {
			return nil, err
		}
		s.Status.Selector = sel.String()
	}
	return s, nil
}

func scaleMeta(m *metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: m.Name, Namespace: m.Namespace, UID: m.UID,
		ResourceVersion: m.ResourceVersion, CreationTimestamp: m.CreationTimestamp,
	}
}

func (c *call) setReplicas(obj runtime.Object, n int32) error {
	switch o := obj.(type) {
	case *appsv1.Deployment:
		o.Spec.Replicas = &n
	case *appsv1.ReplicaSet:
		o.Spec.Replicas = &n
	case *appsv1.StatefulSet:
		o.Spec.Replicas = &n
	case *corev1.ReplicationController:
		o.Spec.Replicas = &n
	default:
		return c.setCustomReplicas(obj, n)
	}
	return nil
}
