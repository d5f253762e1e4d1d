// Package disruption counts for each PodDisruptionBudget how many of its pods may be evicted now. The API server asks
// the budget's status before it evicts one.
//
// The nouns:
//
//   - healthy: a pod that is ready and that nobody has asked to go.
//   - expected: how many pods there should be: what the owners of the selected pods ask for.
//   - disrupted: a pod whose eviction was allowed. It does not count as healthy, even if the deletion is late to come;
//     if it has not come after two minutes, it counts again.
//
// Start reading at Controller.reconcile.
//
// Identity: ServiceAccount kube-system/disruption-controller. RBAC: ClusterRole system:controller:disruption-controller.
//
// Upstream: pkg/controller/disruption.
//
// # Simplifications
//
//   - Of pods whose owner is none of ReplicationController, ReplicaSet, Deployment and StatefulSet the number expected is not
//     known, as if there were no scale subresource.
//   - A condition DisruptionTarget that nothing came of is not taken back.
package disruption
