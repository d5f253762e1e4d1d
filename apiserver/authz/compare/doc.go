// Package compare holds Coracle's authorization against that of Kubernetes v1.37.2 itself: the same policy and the same
// request must have the same answer and the same reason, on random ones by the million.
//
//	make compare
//
// It is a module of its own because nothing may depend on k8s.io/kubernetes but tests.
package compare
