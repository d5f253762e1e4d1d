// Package deployment rolls out what Deployments describe: it makes a ReplicaSet for each version of the pod template and
// moves the number of replicas from the older ones to the newest, as fast as the strategy allows.
//
// The nouns:
//
//   - rollout: one Deployment at one moment, with its ReplicaSets: the new one, whose template is the Deployment's,
//     and the old ones.
//   - revision: the number of a template in the order in which they were rolled out; an annotation of the ReplicaSet.
//     `kubectl rollout undo` puts an old template into the Deployment again, whose ReplicaSet then gets the next number.
//   - proportional scaling: a Deployment that is scaled while it rolls out grows or shrinks all its ReplicaSets alike
//     (proportion.go).
//   - progress: the condition Progressing, and the deadline after which there has been none (progress.go).
//
// Start reading at Controller.reconcile.
//
// Identity: ServiceAccount kube-system/deployment-controller. RBAC: ClusterRole system:controller:deployment-controller.
//
// Upstream: pkg/controller/deployment.
//
// # Simplifications
//
//   - The annotation deprecated.deployment.rollback.to, in which extensions/v1beta1 asked for a rollback, is not looked
//     at: kubectl has been putting the old template back itself since 2018.
package deployment
