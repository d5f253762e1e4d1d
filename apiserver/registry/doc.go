// Package registry reads and writes objects of the catalog's kinds.
//
// It joins the two halves below it: the wire's codec, which knows how objects look as bytes, and the
// watch cache, which keeps bytes under keys. Everything in the server that needs an object (verbs, admission,
// authenticators, authorizers) gets it here, and never from the store itself.
//
// Keys are much like those of kube-apiserver's etcd: /registry/GROUP/RESOURCE/NAMESPACE/NAME, with `core` for
// the core group. Objects that are read are shared, and nobody may change them.
//
// Start reading at Registry.
package registry
