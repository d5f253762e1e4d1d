// Package policystatus says in the status of each ValidatingAdmissionPolicy what is wrong with the types in its expressions.
//
// While a policy is enforced its expressions may mention any field of any object, and one that is not there is an error then.
// This controller looks beforehand: it compiles the expressions for each kind that the policy names, with the kind's schema, and
// writes what the compiler has to say to status.typeChecking, and which generation that is about to status.observedGeneration.
// Nothing of that changes what the policy does. A MutatingAdmissionPolicy has no status.
//
// The nouns: Controller; kinds (what is served, and its schemas, both from the API at the moment of looking); checker (the
// compiler of one kind). Start reading at Controller.reconcile.
//
// Identity: ServiceAccount kube-system/validatingadmissionpolicy-status-controller. RBAC: ClusterRole
// system:controller:validatingadmissionpolicy-status-controller. Discovery and schemas are for everybody who is authenticated.
//
// Upstream: pkg/controller/validatingadmissionpolicystatus, and for the types
// k8s.io/apiserver/pkg/admission/plugin/policy/validating/typechecking.go.
//
// # Simplifications
//
//   - The schemas of built-in kinds are those that the server publishes. Upstream's controller has them compiled in.
package policystatus
