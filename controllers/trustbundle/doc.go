// Package trustbundle publishes the authority of the API server's certificate as a ClusterTrustBundle, for pods that
// project it by its signer's name, kubernetes.io/kube-apiserver-serving, and want to have nothing else with it.
//
// The bundle is named after its contents. A new authority is a new bundle: whoever names a bundle gets what they
// named or nothing, whoever names the signer gets what holds now.
//
// The nouns: Publisher. Start reading at Publisher.reconcile.
//
// Identity: ServiceAccount kube-system/kube-apiserver-serving-clustertrustbundle-publisher. RBAC: the ClusterRole of
// that name under system:controller: (create, update and delete clustertrustbundles; attest for the one signer). The
// informer needs list and watch on clustertrustbundles.
//
// Upstream: pkg/controller/certificates/clustertrustbundlepublisher (KEP-3257).
//
// # Simplifications
//
//   - It learns of bundles from the informer that all controllers share, and passes over those of other signers,
//     where upstream's watches those of its signer alone.
//   - Beyond upstream: a new authority is published without a restart.
package trustbundle
