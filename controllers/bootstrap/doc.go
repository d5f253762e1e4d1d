// Package bootstrap looks after bootstrap tokens, with which new nodes introduce themselves.
//
// Nouns:
//
//   - Cleaner deletes tokens whose time is over, at that time.
//   - Signer signs the ConfigMap kube-public/cluster-info with each token that may: a machine that knows the token can
//     then tell that whoever published it knows the token as well.
//
// Start reading at Signer.reconcile.
//
// Identities: ServiceAccounts kube-system/token-cleaner and kube-system/bootstrap-signer. RBAC: Roles
// system:controller:token-cleaner in kube-system, and system:controller:bootstrap-signer in kube-system and kube-public. The
// informers need list and watch on secrets and configmaps.
//
// Upstream: pkg/controller/bootstrap.
//
// # Simplifications
//
//   - Upstream removes the signature of a token whose time is over when the cleaner deletes its Secret; here also
//     when nobody deletes it.
package bootstrap
