// Package token issues and verifies the tokens of service accounts, which are JSON Web Tokens (RFC 7519).
//
// Nouns:
//
//   - Key, Keys: what signs and verifies. The first key signs; all verify, so that a new one can take over
//     while tokens of the old one live on.
//   - Claims: what a token says.
//   - Issuer: writes claims and signs them. A bound token names the account, and a pod, secret or node with which it
//     dies; it expires. A legacy token is kept in a Secret and lasts as long as the Secret.
//
// Verifying here means the signature. Whether the claims still hold (is it time? is it for us? does the
// account exist?) is for package authn to judge, which asks the cluster.
//
// Start reading at Issuer.Bound, then at Keys.Verify.
//
// # Simplifications
//
//   - Tokens bound to a webhook configuration, and attestations, are not issued (alpha in v1.37:
//     pkg/serviceaccount/claims.go).
//   - Keys are in memory; there is no external signer (KEP-740).
package token
