// Package objects holds the Secrets and ConfigMaps that this node's pods name, and no others; and once a pod projects
// one, the cluster's ClusterTrustBundles, which are no secret.
//
// Each object is watched by its name for as long as a pod on the node refers to it, as a kubelet does: that is
// what the Node authorizer allows, and a node that could list all Secrets would be worth stealing.
//
// Nouns: Store (Register a pod, then ask), item (one object, watched), Collection (all objects of a watch), bundles.
// Start reading at Store.
//
// Simplifications: immutable objects are watched like others; image pull secrets are not read, since nothing is
// pulled (upstream: pkg/kubelet/util/manager/watch_based_manager.go).
package objects
