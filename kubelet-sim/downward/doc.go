// Package downward answers what a pod may learn about itself: its fields and its containers' resources.
//
// It knows nothing of files or environments; volume and env put the answers there.
// Start reading at Field.
//
// Simplifications: hugepages are not simulated, so limits.hugepages-* are refused as unsupported
// (upstream: pkg/api/v1/resource).
package downward
