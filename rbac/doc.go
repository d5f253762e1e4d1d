// Package rbac answers one question about a request, may they?, and says why.
//
// Nouns: Attributes (who wants to do what), Role and Binding (rbac.authorization.k8s.io/v1, cluster-wide
// or in a namespace), Snapshot (all roles and bindings as of one moment, indexed by subject; it never changes), Policy
// (the present Snapshot, kept up to date by events), Decision (allowed or not, and by which binding, role and rule),
// Explanation (every way that granted it, or the near misses: ways with exactly one broken link, and how to mend
// each), SmallestGrant (the least that would allow it).
//
// It knows nothing of HTTP, of storage or of authentication. Start reading at Snapshot.Authorize in evaluate.go,
// then allows in match.go; Explain in explain.go; CheckEscalation for who may write roles and bindings.
//
// Simplifications:
//   - Of several bindings that allow a request, Kubernetes names whichever its cache lists first. Here it is always the
//     same one: ClusterRoleBindings before RoleBindings, the user's own before those of its groups, then by role.
//   - RulesFor lists the rules of a role once, however many bindings give it to the user by one name.
package rbac
