// Package admission decides what may be written, after it is known who asks and that they may.
//
// Mutating plugins come first and change the object; validating plugins see the result and may only refuse.
// The order is one slice, written where the cluster is assembled. A mutating plugin may ask that all of them be called a second
// time, and no more, for the object that it has changed; so each must leave alone what it has done before.
//
// Nouns: Attributes (what is about to be written), Mutator and Validator (a plugin is one or both),
// Chain. One file per plugin; the comment above a plugin says its rule in the words of the documentation.
// Package webhook has those
// that ask others, package policy the one that evaluates expressions. Start reading at Chain.
package admission
