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
//   - PodCleaner: deletes PodCertificateRequests a quarter of an hour after they were made. Nobody here answers them: v1.37
//     has no signer of its own for pods.
//
// Start reading at Signer.reconcile.
//
// Identity: ServiceAccount kube-system/certificate-controller. RBAC: ClusterRole
// system:controller:certificate-controller. The informer needs list and watch on certificatesigningrequests. The
// PodCleaner is podcertificaterequestcleaner, and its informer needs the same on podcertificaterequests.
//
// Upstream: pkg/controller/certificates.
//
// # Simplifications
//
//   - One signer with one key for all four signer names, where kube-controller-manager has a controller, and may have a
//     key, for each.
//   - The cleaners look at a request when its time has come, and not once an hour, or every five minutes.
//   - An approver that is refused asks again after 30 seconds at most, where upstream waits up to 17 minutes.
package certificates
