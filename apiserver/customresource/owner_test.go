package customresource

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestTheServerOwnsTheStatusOfADefinition(t *testing.T) {
	client := metav1.ManagedFieldsEntry{Manager: "kubectl", Operation: metav1.ManagedFieldsOperationUpdate}
	crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{client}}}
	crd.Status.AcceptedNames = apiextensionsv1.CustomResourceDefinitionNames{Plural: "its", Kind: "It"}
	crd.Status.Conditions = []apiextensionsv1.CustomResourceDefinitionCondition{
		{Type: apiextensionsv1.Established}, {Type: apiextensionsv1.Terminating},
	}
	now := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	note := func(now time.Time) {
		if err := ownStatus(crd, now); err != nil {
			t.Fatal(err)
		}
	}
	note(now)
	note(now.Add(time.Hour)) // nothing has changed
	want := []metav1.ManagedFieldsEntry{{
		Manager: "kube-apiserver", Operation: metav1.ManagedFieldsOperationUpdate, Subresource: "status",
		APIVersion: "apiextensions.k8s.io/v1", Time: &metav1.Time{Time: now}, FieldsType: "FieldsV1",
		FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:status":{"f:acceptedNames":{"f:kind":{},"f:plural":{}},"f:conditions":{` +
			`"k:{\"type\":\"Established\"}":{".":{},"f:lastTransitionTime":{},"f:message":{},"f:reason":{},"f:status":{},"f:type":{}}}}}`)},
	}, client}
	if diff := cmp.Diff(want, crd.ManagedFields); diff != "" {
		t.Error(diff)
	}
	crd.Status.AcceptedNames.Singular = "it"
	note(now.Add(time.Hour))
	if got := crd.ManagedFields[0].Time; len(crd.ManagedFields) != 2 || !got.Equal(&metav1.Time{Time: now.Add(time.Hour)}) {
		t.Errorf("after a change: %v", crd.ManagedFields)
	}
}
