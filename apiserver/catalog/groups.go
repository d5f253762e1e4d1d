package catalog

import "slices"

// groupKinds are the rows of all groups but core, in the order in which kube-apiserver lists the groups;
// within a group in alphabetical order.
func groupKinds() []*Kind {
	return slices.Concat(
		apiregistrationKinds(),
		appsKinds(),
		eventsKinds(),
		authenticationKinds(),
		authorizationKinds(),
		autoscalingKinds(),
		batchKinds(),
		certificatesKinds(),
		networkingKinds(),
		policyKinds(),
		rbacKinds(),
		storageKinds(),
		admissionregistrationKinds(),
		apiextensionsKinds(),
		schedulingKinds(),
		coordinationKinds(),
		nodeKinds(),
		discoveryKinds(),
		resourceKinds(),
		flowcontrolKinds(),
		storagemigrationKinds(),
	)
}

// Values that several groups' rows share.
func inAll() []string           { return []string{"all"} }
func inExtensions() []string    { return []string{"api-extensions"} }
func onlyStatus() []Subresource { return []Subresource{{Name: "status"}} }
