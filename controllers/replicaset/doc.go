// Package replicaset keeps as many pods as each ReplicaSet asks for; and, the older kind being the same thing in other
// words, as each ReplicationController does.
//
// The nouns:
//
//   - kind: what differs between the two. A ReplicationController is looked at as if it were a ReplicaSet.
//   - victims: the pods that go when there are too many (package workload).
//   - related pods: those of all ReplicaSets of one Deployment. Of a node with many of them pods go first.
//
// Start reading at Controller.reconcile.
//
// Identity: ServiceAccount kube-system/replicaset-controller, or replication-controller. RBAC: the ClusterRole
// system:controller:NAME of each.
//
// Upstream: pkg/controller/replicaset, pkg/controller/replication.
package replicaset
