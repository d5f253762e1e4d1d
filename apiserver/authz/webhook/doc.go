// Package webhook asks somebody else: it posts a SubjectAccessReview to a service outside the cluster, which answers with
// allowed, denied or neither.
//
// Nouns: Authorizer (one such service), Config (where it is, how long its answers hold, and what happens when it does
// not answer). Start reading at Authorizer.Authorize.
//
// What to watch for: while answers are cached, a permission that was taken away still counts; with the failure
// policy NoOpinion, who can stop the service from answering switches its denials off.
//
// Simplifications:
//   - A redirect is an error. Kubernetes follows it.
//   - There are no metrics of webhook calls.
//
// Source: k8s.io/apiserver/plugin/pkg/authorizer/webhook.
package webhook
