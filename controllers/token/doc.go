// Package token keeps token Secrets and ServiceAccounts in step: Secrets of the type
// kubernetes.io/service-account-token, whose token does not expire and is valid as long as both the Secret and its
// account exist.
//
// The nouns:
//
//   - account: a ServiceAccount. Its list .secrets names its token Secrets.
//   - token Secret: names its account in two annotations, by name and by UID; holds token, ca.crt and namespace.
//   - Minter: signs tokens. The controller never sees the key.
//
// Four rules:
//
//   - classic.go: until Kubernetes 1.23 each account gets a token Secret, NAME-token-xxxxx, listed under its secrets.
//   - secret.go: a token Secret that lacks token, ca.crt or namespace gets them, in both eras.
//   - secret.go: a token Secret whose account is gone, or was made anew under the same name, is deleted.
//   - secret.go: an account forgets a token Secret that was deleted.
//
// Start reading at Controller.reconcileSecret.
//
// Identity: user system:kube-controller-manager, as upstream: no system:controller role may write Secrets of every
// namespace. RBAC: ClusterRole system:kube-controller-manager (create, get, update, delete secrets; get, update
// serviceaccounts; list and watch everything, for the informers).
//
// Upstream: pkg/controller/serviceaccount/tokens_controller.go; its release 1.23 for the classic era.
//
// # Simplifications
//
//   - Upstream of the classic era makes a second Secret when somebody takes the first off the account's list. Here the
//     first is listed again, as it is after a crash between making a Secret and listing it.
//   - A key that cannot be reconciled is tried for ever, not ten times.
package token
