// Package certificates turns signing requests into certificates: it approves what needs no person's look, signs what
// was approved with the cluster's authority, and removes what is over.
//
// Nouns:
//
//   - Approver: approves kubelets' requests for client certificates, if who asks has been given that (a
//     SubjectAccessReview on certificatesigningrequests/nodeclient or selfnodeclient). All others wait for a person.
//   - Signer: signs approved requests of the four signers of kubernetes.io, each by its rules (rules.go), or marks them
//     as failed. Requests of all other signers are somebody else's.
//   - Cleaner: deletes requests that were answered an hour ago or not within a day, and whose certificate has expired.
//
// Start reading at Signer.reconcile.
//
// Identity: ServiceAccount kube-system/certificate-controller. RBAC: ClusterRole
// system:controller:certificate-controller. The informer needs list and watch on certificatesigningrequests.
//
// Upstream: pkg/controller/certificates.
//
// # Simplifications
//
//   - One signer with one key for all four signer names, where kube-controller-manager has a controller, and may have a
//     key, for each.
//   - The cleaner looks at a request when its time has come, and not once an hour.
//   - An approver that is refused asks again after 30 seconds at most, where upstream waits up to 17 minutes.
package certificates
