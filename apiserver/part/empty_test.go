package part

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What is read from protobuf has no empty lists: Kubernetes' own code says what an object is afterwards.
func TestDropEmpty(t *testing.T) {
	got := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "a", Labels: map[string]string{}, Annotations: map[string]string{"a": "b"}, Finalizers: []string{}},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "a.example.com", AdmissionReviewVersions: []string{"v1"}, MatchConditions: []admissionregistrationv1.MatchCondition{},
			ClientConfig:      admissionregistrationv1.WebhookClientConfig{CABundle: []byte{}, URL: new("")},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{}},
			ObjectSelector:    &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Values: []string{}}}},
		}},
	}
	wire, err := got.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	want := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if err := want.Unmarshal(wire); err != nil {
		t.Fatal(err)
	}
	new(Lists).Drop(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
