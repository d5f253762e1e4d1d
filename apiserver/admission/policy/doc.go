// Package policy enforces ValidatingAdmissionPolicies and MutatingAdmissionPolicies: CEL expressions that judge or change what is
// written, in the process itself.
//
// Policies and bindings are heard of from the watch cache, before their writer is told, so a policy is in force for whoever has
// bound it. A policy is compiled when a request first matches it. While none is bound a request costs one look at a pointer.
//
// Nouns: bound (a policy and its bindings), invocation (a policy as one binding wants it evaluated, with one parameter), rules and
// mutations (the compiled expressions of either kind), ruling (what one expression comes to).
// Start reading at Validating.Validate. What is wrong with the types in a policy is found out elsewhere, by controllers/policystatus.
//
// Sources: https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/ (KEP-3488),
// .../mutating-admission-policy/ (KEP-3962) and
// k8s.io/apiserver/pkg/admission/plugin/policy, whose compiler of CEL is used.
//
// Simplifications:
//   - policies from files (staticManifestsDir) are not configured, and metrics are not kept.
package policy
