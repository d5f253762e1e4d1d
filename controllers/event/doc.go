// Package event writes the Events that controllers tell people what they did with: `kubectl describe` shows them
// below an object.
//
// The nouns: Recorder. Start reading at Recorder.Run.
//
// RBAC: create and patch of events, in the object's namespace, in default for cluster-scoped objects; each
// system:controller role has that. Repeated events are counted in one object, and a source that talks too much about
// one object (more than 25 at once) is muted for a while, as upstream does with the same correlator.
//
// Upstream: k8s.io/client-go/tools/record, whose broadcaster starts goroutines that nobody waits for.
//
// # Simplifications
//
//   - An Event that cannot be written is dropped, not tried again.
//   - All Events are core/v1; upstream's scheduler writes events.k8s.io/v1, the same object in other clothes.
package event
