// Package login gets ID tokens for a program without a browser of its own, such as kubectl: the authorization-code flow
// with PKCE, with a redirect to this machine (RFC 8252), and the refresh token afterwards.
//
// Start reading at Client.Token.
//
// Simplifications: of the ID token only the nonce and the end are looked at. It comes straight from the issuer, by TLS, and the
// API server judges it; a client that refused a bad one would hide what the server says of it.
package login
