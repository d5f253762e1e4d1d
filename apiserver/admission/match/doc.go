// Package match tells which requests an admission webhook or policy is about, and shows it the objects in the version that it
// wants, and takes it back when it was changed in that version.
//
// Nouns: Request (what is asked about, in any of its versions), Criteria (rules and selectors), Conditions (CEL expressions about
// the request). Start reading at Criteria.Match.
//
// Source: k8s.io/apiserver/pkg/admission/plugin/webhook/predicates and plugin/policy/matching, whose packages bring gRPC with them.
package match
