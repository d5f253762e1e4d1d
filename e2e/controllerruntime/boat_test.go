package controllerruntime

import (
	"context"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// A Boat is what the operator is for.
type Boat struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              BoatSpec   `json:"spec"`
	Status            BoatStatus `json:"status,omitempty"`
}

type BoatSpec struct {
	Harbour string `json:"harbour"`
	Crew    int32  `json:"crew,omitempty"`
}

type BoatStatus struct {
	Phase              string `json:"phase,omitempty"`
	ObservedGeneration int64  `json:"observedGeneration,omitempty"`
}

type BoatList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Boat `json:"items"`
}

func (b *Boat) DeepCopyObject() runtime.Object {
	out := *b
	b.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	return &out
}

func (l *BoatList) DeepCopyObject() runtime.Object {
	out := *l
	out.Items = make([]Boat, len(l.Items))
	for i := range l.Items {
		out.Items[i] = *l.Items[i].DeepCopyObject().(*Boat)
	}
	return &out
}

var boats = schema.GroupVersion{Group: "example.com", Version: "v1"}

func addBoats(s *runtime.Scheme) {
	s.AddKnownTypes(boats, &Boat{}, &BoatList{})
	metav1.AddToGroupVersion(s, boats)
}

// rules are the operator's webhooks.
type rules struct{}

func (rules) Default(_ context.Context, b *Boat) error {
	if b.Spec.Crew == 0 {
		b.Spec.Crew = 3
	}
	return nil
}

func (rules) ValidateCreate(_ context.Context, b *Boat) (admission.Warnings, error) {
	if b.Spec.Harbour == "atlantis" {
		return nil, errors.New("there is no such harbour")
	}
	if b.Spec.Crew > 100 {
		return admission.Warnings{"that is a crowd"}, nil
	}
	return nil, nil
}

func (r rules) ValidateUpdate(ctx context.Context, old, b *Boat) (admission.Warnings, error) {
	if old.Spec.Harbour != b.Spec.Harbour {
		return nil, fmt.Errorf("%s is at home in %s", b.Name, old.Spec.Harbour)
	}
	return r.ValidateCreate(ctx, b)
}

func (rules) ValidateDelete(_ context.Context, b *Boat) (admission.Warnings, error) {
	if b.Labels["keep"] == "true" {
		return nil, errors.New("it is to be kept")
	}
	return nil, nil
}
