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
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"coracle/apiserver/catalog"
	"coracle/apiserver/fieldowner"
	"coracle/apiserver/wire"
)

// scale is the one subresource by which anything with replicas is scaled the same way.
func (c *call) scale() error {
	f, err := wire.Negotiate(c.r, wire.Offer{Table: true, Partial: true})
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
		return c.sendScale(f, s)
	case "update":
		var opts metav1.UpdateOptions
		if err := decodeOptions(c.r.URL.Query(), &opts); err != nil {
			return err
		}
		wanted := &autoscalingv1.Scale{}
		if err := c.decode(wanted, c.sub.Kind, opts.FieldValidation); err != nil {
			return err
		}
		return c.rescale(f, &opts, dryRun(opts.DryRun), false, func(*autoscalingv1.Scale) (*autoscalingv1.Scale, error) { return wanted.DeepCopy(), nil })
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
	supported = append(supported, string(types.ApplyYAMLPatchType))
	if err != nil || !allows(supported, media) {
		return unsupportedPatch(c.offer(), supported)
	}
	body, err := c.readBody()
	if err != nil {
		return err
	}
	if err := readablePatch(types.PatchType(media), body.Bytes); err != nil {
		return err
	}
	c.auditPatch(body.Bytes, types.PatchType(media))
	if errs := metav1validation.ValidatePatchOptions(&opts, types.PatchType(media)); len(errs) > 0 {
		return apierrors.NewInvalid(schema.GroupKind{Group: metav1.GroupName, Kind: "PatchOptions"}, "", errs)
	}
	if types.PatchType(media) == types.ApplyYAMLPatchType {
		return c.applyScale(f, body, &opts)
	}
	strictness := wire.Strictness(fieldValidation(opts.FieldValidation))
	apply, doubts, unreadable := patcherFor(types.PatchType(media), body.Bytes, &autoscalingv1.Scale{}, strictness)
	return c.rescale(f, &opts, dryRun(opts.DryRun), false, func(now *autoscalingv1.Scale) (*autoscalingv1.Scale, error) {
		if unreadable != nil {
			return nil, unreadable
		}
		before, err := json.Marshal(now)
		if err != nil {
			return nil, err
		}
		after, err := apply(before)
		if err != nil {
			return nil, err
		}
		wanted := &autoscalingv1.Scale{}
		return wanted, c.readPatched(before, after, wire.Body{Bytes: body.Bytes, ContentType: media}, wanted, doubts, strictness)
	})
}

// applyScale merges a Scale that somebody wants, and makes the number theirs.
func (c *call) applyScale(f wire.Format, body wire.Body, opts *metav1.PatchOptions) error {
	wanted, doubts, err := c.readApplied(body, c.sub.Kind)
	if err != nil {
		return err
	}
	owners, err := c.Owners.Scale()
	if err != nil {
		return apierrors.NewInternalError(err)
	}
	force := opts.Force != nil && *opts.Force
	return c.rescale(f, opts, dryRun(opts.DryRun), true, func(now *autoscalingv1.Scale) (*autoscalingv1.Scale, error) {
		merged, err := owners.Apply(now, wanted, opts.FieldManager, force)
		if err == nil {
			err = c.tellDoubts(doubts, opts)
		}
		if err != nil {
			return nil, err
		}
		s, ok := merged.(*autoscalingv1.Scale)
		if !ok {
			return nil, apierrors.NewInternalError(fmt.Errorf("a Scale was merged to a %T", merged))
		}
		return s, nil
	})
}

// replicasPaths tell where the number is in each version of the object that fields may be owned under.
func (c *call) replicasPaths() managedfields.ResourcePathMappings {
	path := fieldpath.MakePathOrDie("spec", "replicas")
	if c.kind.Custom != nil && c.kind.Custom.Scale != nil {
		path = nil
		for _, name := range fieldsOf(c.kind.Custom.Scale.SpecReplicasPath) {
			path = append(path, fieldpath.PathElement{FieldName: &name})
		}
	}
	return managedfields.ResourcePathMappings{c.kind.GroupVersion().String(): path}
}

// rescale writes the wanted number of replicas into the object, and whose it is. Applied tells that next has noted the
// owner. Ownership of a Scale is kept with the object, translated both ways.
// Source: scaleUpdatedObjectInfo in pkg/registry/apps/deployment/storage/storage.go.
func (c *call) rescale(f wire.Format, opts runtime.Object, dry, applied bool, next func(*autoscalingv1.Scale) (*autoscalingv1.Scale, error)) error {
	e, obj, err := c.applyChange(change{
		options: opts,
		dryRun:  dry,
		applied: true,
		next: func(old runtime.Object, _ []byte) (runtime.Object, error) {
			now, err := c.scaleOf(old)
			if err != nil {
				return nil, err
			}
			handler := managedfields.NewScaleHandler(old.(metav1.Object).GetManagedFields(), c.kind.GroupVersion(), c.replicasPaths())
			if now.ManagedFields, err = handler.ToSubresource(); err != nil {
				return nil, apierrors.NewInternalError(err)
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
			owned := metav1.Object(wanted)
			if !applied {
				owners, err := c.Owners.Scale()
				if err != nil {
					return nil, apierrors.NewInternalError(err)
				}
				owned = owners.UpdateNoErrors(now, wanted, fieldowner.Name(managerOf(opts), c.r.UserAgent())).(metav1.Object)
			}
			entries, err := handler.ToParent(owned.GetManagedFields())
			if err != nil {
				return nil, apierrors.NewInternalError(err)
			}
			m.SetManagedFields(entries)
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
	return c.sendScale(f, s)
}

func (c *call) sendScale(f wire.Format, s *autoscalingv1.Scale) error {
	scale := *c
	scale.kind = catalog.ScaleKind(c.kind.Custom != nil)
	return scale.sendObject(f, http.StatusOK, s)
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
