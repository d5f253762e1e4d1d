// Package node authorizes kubelets: a node may read what the pods bound to it need, and nothing else of its kind.
//
// A role cannot say that: it would let every node read every secret, and whoever takes over one machine would
// have them all. So this authorizer follows the objects: secret <- pod <- node.
//
// Nouns: Graph (which objects lead to which node, kept up to date by events), Authorizer (asks the graph for some
// kinds of objects, and compares with the rules of the role system:node for the others).
// What a node writes is limited further by NodeRestriction admission, which can see the object.
// Start reading at Authorizer.Authorize.
//
// Simplifications:
//   - Feature gates are those that v1.37 has by default: nodes may not access the status of CSINodes.
//
// Source: plugin/pkg/auth/authorizer/node. Background: KEP-279.
package node
