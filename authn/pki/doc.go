// Package pki keeps a cluster's authorities, certificates and keys in one directory, under the names that kubeadm
// gives them, and issues what else somebody needs to prove who they are.
//
// Nouns:
//
//   - Authority: a CA certificate, with its key where we have it.
//   - Pair: a certificate and its key, in memory and as two files.
//   - Identity: a user name and groups that a client certificate or a kubeconfig carries.
//   - PKI: the directory as a whole.
//
// What is found is kept; what is missing is made; what is about to expire, or lacks a name that clients will use, is
// issued again for the same key. What cannot be understood is never overwritten: Open says in one sentence which
// file it is and what to do. A file is either there in full or not at all, and a crash at any moment is repaired
// at the next Open; see writePair.
//
// A server calls Reload now and then, and goes by what it finds. Who replaces things, as `coracle pki rotate` does, uses
// Rotation: on files alone, whether a server runs or not.
//
// Start reading at Open, then at the table in certificates.go.
//
// # Simplifications
//
//   - Keys are ECDSA P-256; kubeadm's default is RSA 2048 (cmd/kubeadm/app/util/pkiutil).
//   - etcd's certificates name the node "coracle", where kubeadm names the machine that etcd runs on.
//   - A node that joined by itself keeps the authorities that it was told of when it joined: it has to be told of new ones, in
//     its kubelet.conf, and then asks for certificates from them.
//   - Kubeadm renews when the cluster is upgraded; here a certificate is issued again 30 days before its end.
package pki
