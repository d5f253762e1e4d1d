// Package customresource serves the kinds that CustomResourceDefinitions describe.
//
// A definition that is accepted becomes rows of the catalog, one per served version, and from then on its objects go
// the way of all others: nothing else in the server knows where a row came from. Rows come and go with the
// definitions, in one step and before the definition's writer is told, so that a client that has created a definition
// finds its kind served.
//
// Nouns: Definitions (all of them, and who has which name), definition (one, with its versions), version (schema,
// defaults, validation, columns), converter (between versions), Cleaner (works off deletions). Start reading at
// Definitions.
//
// Sources: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/ and
// k8s.io/apiextensions-apiserver, whose packages for schemas, pruning, defaulting, CEL rules and validation are used.
//
// Simplifications:
//   - the conditions NamesAccepted and Established are there in the answer to the creation, where upstream's
//     controllers add them a moment later;
//   - a definition whose group and version, or whose group and resource, are built in is accepted and never served;
//   - conversion webhooks are asked for one object at a time, in ConversionReview v1 alone;
//   - of an object no more than 100 faults are looked for, where upstream tells all, however long it takes.
package customresource
