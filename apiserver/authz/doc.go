// Package authz asks, for each request, the authorizers one after the other: may they?
//
// Nouns: Authorizer (one way of answering), Opinion (allow, deny or no opinion), Chain (authorizers in order;
// the first that allows or denies decides, and a request on which nobody has an opinion is refused).
// Start reading at Authorizer, then Chain.
package authz
