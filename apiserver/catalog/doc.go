// Package catalog lists what the apiserver serves: one row per kind.
//
// A row says how a kind is called (group, version, resource, short names), where it lives (namespaced
// or not), how it is made, defaulted, validated and compared (Strategy), what `kubectl get` prints of it
// (Table), by which fields it can be selected, and which subresources it has. Every generic part of the
// server (routes, verbs, discovery, OpenAPI, tables) reads the rows; adding a kind is adding a row.
//
// Nouns: Kind (the row), Subresource, Strategy, Table, Catalog (the set, which can grow at run time).
// Start reading at Kind, then Builtin. testdata holds answers of Kubernetes 1.37 itself, to which the tests compare.
//
// Simplifications:
//   - Rules that became stricter over the years hold for all objects; Kubernetes spares what was stored before.
//   - Fields of features that are off by default are dropped, from old objects too; what only such features report
//     in a status is kept unchecked.
//   - Privileged containers are allowed, as kubeadm's --allow-privileged does.
//   - Errors about maps come in the order of their keys; in Kubernetes in any order.
//   - Node's configSource and status.config, of the kubelet's dynamic configuration, are dropped.
//   - An update of a status warns of nothing.
//   - A service's addresses, ports and families are given by the server, not here: see k8s.io/kubernetes'
//     pkg/registry/core/service for what that includes.
package catalog
