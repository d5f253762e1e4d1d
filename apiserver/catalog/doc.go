// Package catalog lists what the apiserver serves: one row per kind.
//
// A row says how a kind is called (group, version, resource, short names), where it lives (namespaced
// or not), how it is made, defaulted, validated and compared (Strategy), what `kubectl get` prints of it
// (Table), by which fields it can be selected, and which subresources it has. Every generic part of the
// server (routes, verbs, discovery, OpenAPI, tables) reads the rows; adding a kind is adding a row.
//
// Nouns: Kind (the row), Subresource, Strategy, Table, Catalog (the set, which can grow at run time).
// Start reading at Kind, then Builtin.
package catalog
