// Package workload is what the controllers that run pods have in common: making and deleting pods in somebody's name,
// telling whose a pod is, and how it fares.
//
// It knows Pod and no other kind. The nouns:
//
//   - owner: the object whose controller reference a pod carries, a ReplicaSet, Job and so on.
//   - Pods: makes and deletes pods for owners, and remembers what the cache has not shown yet, so that nobody acts
//     twice upon old news.
//   - Claim: adopts orphans that an owner selects and releases what it no longer selects.
//   - available: ready, and that for minReadySeconds.
//
// Start reading at Pods.
//
// Upstream: pkg/controller/controller_utils.go, controller_ref_manager.go, util/consistency.
//
// # Simplifications
//
//   - Upstream counts the events that it expects, for five minutes at most. Here the version of the last pod made is
//     compared with that of the cache, as upstream's newer consistency store does, and a pod that was deleted counts
//     as deleted as soon as that was asked.
package workload
