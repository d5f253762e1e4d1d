// Package idp is an issuer of OpenID Connect: people log in with a name and a password, and programs of theirs get ID tokens that say
// who they are. It has the authorization-code flow with PKCE (RFC 6749 and 7636) for native programs (RFC 8252), and
// refresh tokens, each good once.
//
// Nouns: Issuer (the whole), grant (what a code or a refresh token stands for). Start reading at New.
//
// Simplifications: keys, codes and refresh tokens are in memory, so that a start is a rotation, and a new login. There is no
// session: each login asks for the password. Any number of programs share the clients' names; none has a secret.
package idp
