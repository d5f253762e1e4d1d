// Package garbage deletes objects whose owners are gone, and sees through the two slower ways to delete an owner:
// foreground (its dependents go first) and orphan (they stay, without it).
//
// The nouns:
//
//   - owner, dependent: the two ends of an entry in metadata.ownerReferences. An owner is identified by UID; kind,
//     name and the dependent's own namespace (or none) tell where to look for it.
//   - graph: every object's owners and every owner's dependents, as the monitors tell them. It may be late; before
//     anything is deleted the API server is asked.
//   - monitor: the reflector of one resource. There is one for every resource that can be listed, watched and deleted,
//     custom ones included.
//   - catalog: where objects of a kind are served, as discovery tells.
//
// Of an object's references, a solid one names an owner that exists, a dangling one an owner that does not, a waiting
// one an owner that is being deleted in the foreground. One solid reference keeps the object.
//
// Start reading at Controller.reconcile.
//
// Identity: ServiceAccount kube-system/generic-garbage-collector. RBAC: ClusterRole
// system:controller:generic-garbage-collector (get, list, watch, patch, update and delete of everything; events). Its
// monitors are its own and read with that identity.
//
// Upstream: pkg/controller/garbagecollector.
//
// # Simplifications
//
//   - Upstream keeps "virtual" nodes for owners that no monitor has seen. Here the dependent comes again, less and less
//     often, until the owner is seen or found absent.
//   - An owner is looked for under the preferred version of its kind, whatever version the reference names.
package garbage
