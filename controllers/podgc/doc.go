// Package podgc deletes pods that nobody else will: those of nodes that are gone.
//
// The nouns: quarantine, the time for which a node has to be missing. Start reading at Controller.reconcile.
//
// Identity: ServiceAccount kube-system/pod-garbage-collector. RBAC: ClusterRole system:controller:pod-garbage-collector.
//
// Upstream: pkg/controller/podgc.
//
// # Simplifications
//
//   - Pods that have ended stay, however many there are; upstream keeps 12500.
//   - The taint node.kubernetes.io/out-of-service has no effect.
package podgc
