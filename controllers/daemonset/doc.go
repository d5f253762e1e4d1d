// Package daemonset runs one pod of each DaemonSet on every node that it suits.
//
// The nouns:
//
//   - suits: whether a node is one of those that a DaemonSet is for (its name, selector, affinity and taints say so), and
//     whether a pod that is there may stay.
//   - daemon: one DaemonSet at one moment, with its pods by node.
//   - revision: a version of the pod template (package revision); a pod carries its hash as a label.
//
// Pods are bound by the scheduler, as any: each has an affinity to its node alone.
//
// Start reading at Controller.reconcile.
//
// Identity: ServiceAccount kube-system/daemon-set-controller. RBAC: ClusterRole system:controller:daemon-set-controller.
//
// Upstream: pkg/controller/daemon.
package daemonset
