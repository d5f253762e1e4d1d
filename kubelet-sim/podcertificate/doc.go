// Package podcertificate gets certificates for pods: for each podCertificate source of their projected volumes it makes
// a key, asks the signer that the source names by a PodCertificateRequest, and hands out both when the signer has
// answered. Before the certificate ends it does so again.
//
// Keys are made here and never leave the node. What proves to the API server that the node has the key is a signing
// request with nothing in it, signed with the key.
//
// Nouns: Manager (all sources of this node's pods), Credential (a key and its certificates). Start reading at
// Manager.PodCertificate.
//
// Upstream: pkg/kubelet/podcertificate (KEP-4317).
//
// # Simplifications
//
//   - Requests are watched from when a pod first has such a source, and not from the node's start.
//   - What cannot be asked for is asked for again after the pauses of a volume that cannot be mounted, and not after
//     those of a queue of its own.
//   - The events Denied and Failed say what upstream means to say; there, the sentence is appended to the reason
//     as Go's fmt appends what it has no verb for ("%!(EXTRA string=").
package podcertificate
