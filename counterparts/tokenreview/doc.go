// Package tokenreview is a service that says whose a token is, as kube-apiserver's --authentication-token-webhook-config-file
// wants one: it is sent a TokenReview of authentication.k8s.io/v1 or v1beta1, and answers it with a status.
//
// Start reading at Handler. Package eks answers in the same way, with another way to know people.
//
// Simplifications: whoever reaches it may ask it, since on a learner's machine nobody else does.
package tokenreview
