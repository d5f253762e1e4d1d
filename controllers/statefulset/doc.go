// Package statefulset runs pods that each have a name, and volumes, of their own: web-0, web-1 and so on.
//
// The nouns:
//
//   - ordinal: the number at the end of a pod's name, and of its claims'.
//   - replica: an ordinal that the set wants, with its pod or none. condemned: a pod with an ordinal that it does not want.
//   - ordered: as long as one pod is not available nothing happens to those after it, unless the set's
//     podManagementPolicy is Parallel.
//   - current and update revision: the template that pods had and the one that they are getting (package revision).
//
// Start reading at Controller.reconcile, then step.
//
// Identity: ServiceAccount kube-system/statefulset-controller. RBAC: ClusterRole system:controller:statefulset-controller.
//
// Upstream: pkg/controller/statefulset.
//
// # Simplifications
//
//   - A claim that has another controller is left to it without an Event.
//   - Two templates are the same if they are the same text after defaulting.
package statefulset
