// Package resourcequota counts what the objects of a namespace take of its ResourceQuotas. The API server's admission
// plugin adds to that what it lets in; the controller counts anew when a quota changes, when something goes, and a while
// after each change, lest anything be charged that was never stored.
//
// The nouns:
//
//   - source: an informer whose objects are counted. Kinds that none tells of are listed when a quota names them.
//   - recount: all that a quota names, counted from the objects (room quota).
//
// Start reading at Controller.reconcile.
//
// Identity: ServiceAccount kube-system/resourcequota-controller. RBAC: ClusterRole system:controller:resourcequota-controller.
//
// Upstream: pkg/controller/resourcequota.
//
// # Simplifications
//
//   - Kinds that no informer of the controllers tells of, custom ones for instance, are counted every minute.
package resourcequota
