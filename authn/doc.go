// Package authn answers one question about a request: who is asking?
//
// Nouns:
//
//   - Credentials: what a request brought along: certificates, a bearer token, headers.
//   - Authenticator: one strategy, one file. It accepts, refuses, or passes on.
//   - Chain: authenticators in the order in which they are asked.
//   - Answer: what one authenticator said, and why.
//
// It knows nothing of HTTP handlers, of storage or of RBAC. What it must look up (is this
// service account still there?) it asks through small interfaces that it declares itself.
//
// Start reading at Authenticator and Chain. Package token issues and verifies service-account
// tokens; package pki keeps the authorities, keys and certificates.
package authn
