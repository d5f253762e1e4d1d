package customresource

import (
	apiequality "k8s.io/apimachinery/pkg/api/equality"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"coracle/apiserver/crdvalidation"
)

// approval is the condition of a definition in a group that belongs to Kubernetes, nil for all others.
// Source: k8s.io/apiextensions-apiserver/pkg/controller/apiapproval.
func approval(crd *apiextensionsv1.CustomResourceDefinition) *apiextensionsv1.CustomResourceDefinitionCondition {
	if !crdvalidation.Protected(crd.Spec.Group) {
		return nil
	}
	status, reason := apiextensionsv1.ConditionFalse, ""
	state, message := crdvalidation.ApprovalOf(crd.Annotations)
	switch state {
	case crdvalidation.Approved:
		status, reason = apiextensionsv1.ConditionTrue, "ApprovedAnnotation"
	case crdvalidation.Bypassed:
		reason = "UnapprovedAnnotation"
	case crdvalidation.Missing:
		reason = "MissingAnnotation"
	default:
		reason = "InvalidAnnotation"
	}
	return &apiextensionsv1.CustomResourceDefinitionCondition{
		Type: apiextensionsv1.KubernetesAPIApprovalPolicyConformant, Status: status, Reason: reason, Message: message,
	}
}

// named tells whether a definition has all the names that it asks for.
func named(crd *apiextensionsv1.CustomResourceDefinition) bool {
	return apiequality.Semantic.DeepEqual(crd.Spec.Names, crd.Status.AcceptedNames)
}
