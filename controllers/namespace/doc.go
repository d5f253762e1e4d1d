// Package namespace finishes what the deletion of a namespace begins: it deletes everything inside, of every
// namespaced kind that the API server serves, and then lets the namespace itself go.
//
// The nouns:
//
//   - content: all objects in a namespace, found through discovery and handled as metadata alone.
//   - remaining: content that was told to go and has not yet: pods in their grace period, objects with finalizers.
//   - findings: what came of one pass, told to people as the namespace's conditions.
//
// Pods go first and everything else waits for them (KEP-5080): a pod must not outlive, say, the NetworkPolicy that
// fences it in. Start reading at Controller.reconcile, then sweep.
//
// Identity: ServiceAccount kube-system/namespace-controller. RBAC: ClusterRole system:controller:namespace-controller
// (get, list, delete and deletecollection of everything; update namespaces/finalize and namespaces/status). The
// informers need list and watch on namespaces and pods.
//
// Upstream: pkg/controller/namespace/namespace_controller.go and its folder deletion.
//
// # Simplifications
//
//   - Upstream waits five seconds before it looks, so that every API server has heard of the deletion. Here it looks
//     at once: one API server has.
//   - Upstream comes again after half the time that the remaining objects may take. Here a pod's end brings it back at
//     once, and other objects are looked for at growing intervals, 5 ms to 30 s.
package namespace
