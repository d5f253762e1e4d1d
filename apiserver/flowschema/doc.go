// Package flowschema tells of each FlowSchema whether the PriorityLevelConfiguration that it names is there, in its
// condition Dangling.
//
// The nouns: Levels, and the Keeper, who writes it again later. Start reading at Serve.
//
// Upstream: k8s.io/apiserver/pkg/util/flowcontrol.
//
// # Simplifications
//
//   - Requests are not sorted into priority levels: what FlowSchemas say of them has no effect.
//   - The condition is written with the FlowSchema, so the answer to a creation has it already.
package flowschema
