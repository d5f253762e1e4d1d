// Package webhook asks another server whose a bearer token is, by a TokenReview (the service that
// kube-apiserver's --authentication-token-webhook-config-file names).
//
// Nouns: Authenticator, and TokenReview, the question that goes over the wire. Start reading at Authenticator.
//
// An answer is remembered for a while, good or bad: whoever is removed there stays in here for as long. That the service
// could not be asked is never remembered.
package webhook
