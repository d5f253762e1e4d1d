package catalog

import (
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

type (
	hpaV1 = autoscalingv1.HorizontalPodAutoscaler
	hpaV2 = autoscalingv2.HorizontalPodAutoscaler
)

// Both versions are one storage, in the form of v2; v1 carries what it has no fields for in annotations.
func autoscalingKinds() []*Kind {
	return []*Kind{
		row[hpaV2, autoscalingv2.HorizontalPodAutoscalerList](autoscalingv2.SchemeGroupVersion, Kind{
			Resource:     "horizontalpodautoscalers",
			ShortNames:   []string{"hpa"},
			Categories:   inAll(),
			Namespaced:   true,
			Subresources: onlyStatus(),
			Converted:    convertedHPA,
			Strategy: Strategy{
				Default: on(defaultHPA),
				PrepareForCreate: on(func(h *hpaV2) {
					h.Status = autoscalingv2.HorizontalPodAutoscalerStatus{}
					dropRoundTrip(&h.ObjectMeta)
				}),
				PrepareForUpdate:     onChange(func(h, _ *hpaV2) { dropRoundTrip(&h.ObjectMeta) }),
				Validate:             check(func(h *hpaV2, root *field.Path) errorList { return validateHPA(h, nil, root) }),
				Revalidate:           checkChange(validateHPA),
				ValidateStatusUpdate: checkChange(validateHPAStatus),
				Generation:           true,
			},
			Table: hpaTable(func(h *hpaV2) *hpaV2 { return h }),
		}),
		row[hpaV1, autoscalingv1.HorizontalPodAutoscalerList](autoscalingv1.SchemeGroupVersion, Kind{
			Resource:     "horizontalpodautoscalers",
			ShortNames:   []string{"hpa"},
			Categories:   inAll(),
			Namespaced:   true,
			Subresources: onlyStatus(),
			Derived:      roundTrip(),
			Converted:    convertedHPA,
			ToStored:     storedHPA,
			FromStored:   func(obj runtime.Object) (runtime.Object, error) { return hpaToV1(obj.(*hpaV2)) },
			Strategy: Strategy{
				Default:          on(defaultHPAV1),
				PrepareForCreate: on(prepareNewHPAV1),
				Validate:         check(func(h *hpaV1, root *field.Path) errorList { return validateHPA(hpaToV2(h), nil, root) }),
				Revalidate:       checkChange(func(h, old *hpaV1, root *field.Path) errorList { return validateHPA(hpaToV2(h), hpaToV2(old), root) }),
				ValidateStatusUpdate: checkChange(func(h, old *hpaV1, root *field.Path) errorList {
					return validateHPAStatus(hpaToV2(h), hpaToV2(old), root)
				}),
				Generation: true,
			},
			Table: hpaTable(hpaToV2),
		}),
	}
}

// defaultHPAV1 makes of the object what remains of it when it is read: annotations that are no JSON go, and what the object
// says nothing about is said.
func defaultHPAV1(h *hpaV1) {
	setDefault(&h.Spec.MinReplicas, 1)
	if read, err := hpaToV1(hpaToV2(h)); err == nil {
		*h = *read
	}
}

func prepareNewHPAV1(h *hpaV1) {
	h.Status = autoscalingv1.HorizontalPodAutoscalerStatus{}
	delete(h.Annotations, currentMetricsAnnotation)
	delete(h.Annotations, conditionsAnnotation)
}

// convertedHPA is an autoscaler in either version.
func convertedHPA(obj runtime.Object, to schema.GroupVersion) (runtime.Object, error) {
	switch h := obj.(type) {
	case *hpaV1:
		if to == autoscalingv2.SchemeGroupVersion {
			h := hpaToV2(h)
			h.SetGroupVersionKind(to.WithKind("HorizontalPodAutoscaler"))
			return h, nil
		}
	case *hpaV2:
		if to == autoscalingv1.SchemeGroupVersion {
			h, err := hpaToV1(h)
			if err == nil {
				h.SetGroupVersionKind(to.WithKind("HorizontalPodAutoscaler"))
			}
			return h, err
		}
	}
	return obj, nil
}

// storedHPA is what is kept of a v1 autoscaler, with the defaults of v2 in what only v2 knows.
func storedHPA(obj runtime.Object) (runtime.Object, error) {
	h := hpaToV2(obj.(*hpaV1))
	defaultHPA(h)
	return h, nil
}
