// Package rbac answers one question about a request: may they?
//
// Nouns: Attributes (who wants to do what), Role and Binding (rbac.authorization.k8s.io/v1, cluster-wide
// or in a namespace), Policy (all roles and bindings, indexed by subject), Explanation (the binding, role
// and rule that granted, or the nearest that did not).
//
// It knows nothing of HTTP, of storage or of authentication. Start reading at Policy.
package rbac
