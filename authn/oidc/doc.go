// Package oidc accepts the ID tokens of OpenID Connect issuers, by kube-apiserver's --oidc-* flags or by
// Kubernetes' AuthenticationConfiguration file.
//
// Nouns:
//
//   - Issuers: all that are configured; they are replaced as a whole.
//   - issuer: one of them: whose tokens it takes, and how claims become a user.
//   - source: where an issuer publishes its keys; it fetches them when they are needed.
//   - claims: what a token says.
//
// No token is believed before its signature was checked, except for its issuer's name, which only says whom to ask. Nothing is
// fetched from an address that a token names, unless an issuer that we trust signed that token (distributed claims).
//
// Start reading at Authenticator, then at issuer.judge.
//
// # Simplifications
//
//   - Keys are fetched when the first token arrives, not at start, and are looked at again every ten minutes; an
//     issuer that cannot be reached is tried again after ten seconds (as upstream, which does so in the background).
//   - Distributed claims come from the endpoint over HTTPS only (plugin/pkg/authenticator/token/oidc).
//   - There are no egress selectors.
package oidc
