// Package endpoints tells where a Service's pods are: in EndpointSlices, and in an Endpoints object for those who still
// read these.
//
// The nouns:
//
//   - group: the endpoints that share a type of address and ports. A port that a Service names may have another number
//     in each pod. A group fills slices of at most 100 endpoints.
//   - placeholder: the empty slice of a Service that has no pods.
//   - mirror: slices for the Endpoints that somebody made by hand for a Service without a selector.
//
// Start reading at Controller.reconcile.
//
// Identity: for each kind of object the ServiceAccount in kube-system that upstream's controller has: endpointslice-controller,
// endpoint-controller, endpointslicemirroring-controller. RBAC: the ClusterRole system:controller:NAME of each.
//
// Upstream: pkg/controller/{endpointslice,endpoint,endpointslicemirroring}, k8s.io/endpointslice.
//
// # Simplifications
//
//   - One loop does what three do upstream.
//   - No topology hints: nothing here routes traffic.
//   - The annotation with the time of the change that led to an update says when the latest pod became ready.
package endpoints
