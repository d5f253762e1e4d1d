// Package protection keeps what stores data from going while it is used: a claim that a pod mounts, a volume that is bound
// to a claim, a VolumeAttributesClass that a volume or a claim names. Each has a finalizer from its creation on
// (admission puts it there), which is taken off when the object is to be deleted and is used no longer.
//
// The nouns: protector, in the form of Claims, Volumes and Classes. Start reading at protector.reconcile.
//
// Identities: ServiceAccounts kube-system/pvc-protection-controller, pv-protection-controller and
// volumeattributesclass-protection-controller. RBAC: ClusterRoles system:controller:NAME.
//
// Upstream: pkg/controller/volume/pvcprotection, pvprotection, vacprotection.
//
// # Simplifications
//
//   - Before a claim goes its namespace's pods are listed once for each claim, rather than once for many.
//   - A class that is named is looked at again after a while, which grows to 30 seconds, rather than when it is named no longer.
//   - A claim gets no condition Unused: what tells of it is off by default upstream.
package protection
