package customresource

import (
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coracle/apiserver/fieldowner"
)

// ownStatus notes that the server itself has written what the status says of names and conditions, as upstream's
// controllers do a moment later.
func ownStatus(crd *apiextensionsv1.CustomResourceDefinition, now time.Time) error {
	names, conditions := fieldowner.Fields{}, fieldowner.Fields{}
	n := crd.Status.AcceptedNames
	for field, said := range map[string]bool{
		"f:plural": n.Plural != "", "f:singular": n.Singular != "", "f:kind": n.Kind != "", "f:listKind": n.ListKind != "",
		"f:shortNames": n.ShortNames != nil, "f:categories": n.Categories != nil,
	} {
		if said {
			names[field] = fieldowner.Fields{}
		}
	}
	for _, c := range crd.Status.Conditions {
		if c.Type == apiextensionsv1.Terminating {
			continue // that is the deletion's
		}
		if err := conditions.Condition(string(c.Type)); err != nil {
			return err
		}
	}
	return fieldowner.Claim(crd, metav1.ManagedFieldsEntry{
		Manager: "kube-apiserver", Operation: metav1.ManagedFieldsOperationUpdate, Subresource: "status",
		APIVersion: apiextensionsv1.SchemeGroupVersion.String(), Time: &metav1.Time{Time: now.UTC().Truncate(time.Second)},
	}, fieldowner.Fields{"f:status": fieldowner.Fields{"f:acceptedNames": names, "f:conditions": conditions}})
}
