// Package certificate is how a kubelet comes by its certificates, and how it replaces them before they end (TLS
// bootstrapping, https://kubernetes.io/docs/reference/access-authn-authz/kubelet-tls-bootstrapping/).
//
// The key is made here and never leaves; what is sent is a CertificateSigningRequest. Somebody approves it (a
// controller, or a person with kubectl certificate approve), a signer signs it, and both are kept in one file of the owner's
// alone. The first is asked for with a bootstrap token, all later ones with the certificate in use.
//
// Nouns:
//
//   - Template: what a certificate is to say: Client and Serving are the two that a kubelet has.
//   - Manager: one certificate, kept fresh.
//   - Dir: the node's directory of certificates, with the kubeconfig that says which cluster they are for.
//
// Start reading at Manager.Obtain.
//
// # Simplifications
//
//   - One file per certificate, NAME-current.pem; upstream keeps earlier ones and makes that name a symbolic link
//     (client-go/util/certificate).
//   - A request that was under way when the kubelet ended is made anew, where upstream's bootstrap finds it by its key.
package certificate
