// Package authz asks, for each request, the authorizers one after the other: may they?
//
// Nouns: Authorizer (one way of answering), Opinion (allow, deny or no opinion), Chain (authorizers in order;
// the first that allows or denies decides, and a request on which nobody has an opinion is refused), Answer (what the
// chain says, with every opinion on the way). Reasons are made when somebody reads them, not for each request.
//
// The ways: PrivilegedGroup (system:masters), RBAC, AlwaysAllow, AlwaysDeny here; the others in packages of
// their own: node (kubelets), webhook (somebody else decides), abac (a policy file). Package config
// puts the chain together from kube-apiserver's flags or an AuthorizationConfiguration file.
// Start reading at Authorizer, then Chain.Ask.
//
// Simplifications:
//   - Conditional authorization (KEP-5681) is not there: an authorizer sees the request's attributes only.
package authz
