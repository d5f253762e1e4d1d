package catalog

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
)

func admissionregistrationKinds() []*Kind {
	gv := admissionregistrationv1.SchemeGroupVersion
	return []*Kind{
		row[admissionregistrationv1.MutatingAdmissionPolicy, admissionregistrationv1.MutatingAdmissionPolicyList](gv, Kind{
			Resource:   "mutatingadmissionpolicies",
			Categories: inExtensions(),
		}),
		row[admissionregistrationv1.MutatingAdmissionPolicyBinding, admissionregistrationv1.MutatingAdmissionPolicyBindingList](gv, Kind{
			Resource:   "mutatingadmissionpolicybindings",
			Categories: inExtensions(),
		}),
		row[admissionregistrationv1.MutatingWebhookConfiguration, admissionregistrationv1.MutatingWebhookConfigurationList](gv, Kind{
			Resource:   "mutatingwebhookconfigurations",
			Categories: inExtensions(),
		}),
		row[admissionregistrationv1.ValidatingAdmissionPolicy, admissionregistrationv1.ValidatingAdmissionPolicyList](gv, Kind{
			Resource:     "validatingadmissionpolicies",
			Categories:   inExtensions(),
			Subresources: onlyStatus(),
		}),
		row[admissionregistrationv1.ValidatingAdmissionPolicyBinding, admissionregistrationv1.ValidatingAdmissionPolicyBindingList](gv, Kind{
			Resource:   "validatingadmissionpolicybindings",
			Categories: inExtensions(),
		}),
		row[admissionregistrationv1.ValidatingWebhookConfiguration, admissionregistrationv1.ValidatingWebhookConfigurationList](gv, Kind{
			Resource:   "validatingwebhookconfigurations",
			Categories: inExtensions(),
		}),
	}
}
