// Package rootca publishes the certificate authority that signed the API server's certificate: a ConfigMap
// named kube-root-ca.crt in every namespace, which projected volumes put beside a pod's token as ca.crt.
// Without it a pod could send its token to anybody who answers.
//
// The nouns: Controller. Start reading at Controller.reconcile.
//
// Identity: ServiceAccount kube-system/root-ca-cert-publisher. RBAC: ClusterRole
// system:controller:root-ca-cert-publisher (create and update configmaps). The informers need list and watch on
// namespaces and configmaps.
//
// Upstream: pkg/controller/certificates/rootcacertpublisher/publisher.go.
//
// # Simplifications
//
//   - None known. Beyond upstream: a new CA is published without a restart.
package rootca
