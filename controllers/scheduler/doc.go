// Package scheduler finds a node for each pod that has none.
//
// The nouns:
//
//   - filter: which nodes can take the pod at all; each of the others has a reason. One file, filter.go.
//   - score: which of them suits it best. score.go.
//   - ledger: what the pods on each node have asked for, those included whose binding is on its way.
//   - verdict: why no node can take the pod, in the words that `kubectl describe pod` shows.
//
// Start reading at Controller.reconcile.
//
// Identity: user system:kube-scheduler. RBAC: ClusterRole system:kube-scheduler (get, list and watch pods and nodes;
// create pods/binding; patch pods/status; create and patch events). Its informers may be its own or the shared ones.
//
// Upstream: pkg/scheduler, its default plugins NodeUnschedulable, NodeName, TaintToleration, NodeAffinity, NodePorts
// and NodeResourcesFit.
//
// # Simplifications
//
//   - Left out: affinity and anti-affinity between pods, topology spread, volumes and their zones, dynamic resources,
//     preemption, extenders, profiles, pod groups. A pod that asks for them is placed as if it had not.
//   - Pods are taken in the order in which they come, not by priority.
//   - A pod that fits nowhere is tried again when a node changes or a pod leaves one, whether that can help or not.
package scheduler
