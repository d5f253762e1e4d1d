// Package revision keeps the history of the pod template of a DaemonSet or StatefulSet, in ControllerRevisions: what
// `kubectl rollout history` shows and `kubectl rollout undo` puts back.
//
// The nouns:
//
//   - History: reads, makes, renumbers and deletes the revisions of owners.
//   - data: a patch that puts the template back, {"spec":{"template":{"$patch":"replace",...}}}.
//
// Start reading at History.Owned.
//
// Upstream: pkg/controller/history, and pkg/controller/daemon/update.go.
package revision
