// Package people is the file of those whom the counterparts know, and of what is wrong with the counterparts.
//
// Nouns: Person (somebody who may prove to be one), File (people and faults, read again when it changes), Fault (a way to
// misbehave, switched on to study what follows). Start reading at Parse, then at File.
//
// Simplifications: passwords and tokens are in the file as they are. It is for lessons, and for its owner's eyes alone.
package people
