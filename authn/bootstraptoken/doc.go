// Package bootstraptoken is what a new node and a cluster know each other by before the node has a certificate
// (KEP-130, https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/).
//
// Nouns:
//
//   - Token: ID.SECRET. The id may be told to anybody; whoever has the secret can ask for a node's certificate.
//   - Spec: what a token is good for: usages, groups, until when. It is kept in a Secret, see Spec.Secret.
//   - Signature: proof that whoever published the ConfigMap kube-public/cluster-info knows a token's secret, see Sign.
//   - Pins: hashes of authorities' public keys, as a joining machine is told them beforehand.
//   - ClusterInfo: where a cluster is and which authority it has, as Discover found and checked it.
//
// The token proves the cluster to the node (Discover) and the node to the cluster (authn.Bootstrap). The first does not
// suffice alone: all who join know the same token, and could sign as well. That is what pins are for.
//
// Start reading at Discover.
//
// # Simplifications
//
//   - A token that is malformed is not repeated in the error, as kubeadm does: most of it is likely to be the secret.
//   - Discovery goes by a token alone; kubeadm can also be given a file (cmd/kubeadm/app/discovery/file).
package bootstraptoken
