// Package abac authorizes by a policy file: one JSON object per line, each of which allows something. It is how Kubernetes
// did it before RBAC, and shows why RBAC came: a file on the server's disk that needs a restart to change, without
// subresources, names or single verbs, and with nothing to say who may change it.
//
//	{"apiVersion":"abac.authorization.kubernetes.io/v1beta1","kind":"Policy","spec":{"user":"ann","namespace":"blue","resource":"pods","apiGroup":"","readonly":true}}
//
// Nouns: Policy (one line), Authorizer (the file). Start reading at Authorizer.Authorize.
//
// Simplifications:
//   - A line without apiVersion and kind that names an apiGroup or nonResourcePath is refused. Kubernetes passes those two
//     fields over and lets the line allow every API group.
//
// Source: pkg/auth/authorizer/abac.
package abac
