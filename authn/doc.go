// Package authn answers one question about a request: who is asking?
//
// Nouns:
//
//   - Credentials: what a request brought along: certificates, a bearer token, headers.
//   - Authenticator: one strategy, one file. It accepts, refuses, or passes on.
//   - Chain: authenticators in the order in which they are asked.
//   - Answer: what one authenticator said, and why. Result: what the chain found out.
//
// It knows nothing of HTTP handlers, of storage or of RBAC. What it must look up (is this
// service account still there?) it asks through small interfaces that it declares itself.
//
// Start reading at Chain, then at a strategy: x509.go is the oldest, serviceaccount.go the one that most requests
// of a cluster come with. Strategies that take more than a file have packages of their own: oidc, webhook. Package
// token issues and verifies service-account tokens; package pki keeps the authorities, keys and certificates.
//
// # Simplifications
//
//   - A request with two bearer tokens, one in Authorization and one among the WebSocket protocols, is judged by
//     the first alone (apiserver/pkg/authentication/request/websocket).
//   - A bearer token has at most 64 KiB, a service-account token 16 KiB, a client's chain 10 certificates.
package authn
