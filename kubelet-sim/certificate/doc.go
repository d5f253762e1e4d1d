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
//   - Trust: the authorities that a node goes by.
//   - Dir: the node's directory: its certificates, in pki, and the kubeconfig that says which cluster they are for.
//
// Start reading at Manager.Obtain.
//
// # Simplifications
//
//   - One file per certificate, NAME-current.pem; upstream keeps earlier ones and makes that name a symbolic link
//     (client-go/util/certificate).
//   - A certificate is replaced after most of what was left of it when it was issued; upstream counts what it was backdated by, and
//     replaces one of a minute at once, and again and again.
//   - Keys on disk that everybody may read are not used; upstream does not look.
package certificate
