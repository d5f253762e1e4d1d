// Package controllerruntime runs an operator against Coracle: a manager of controller-runtime with a reconciler, its webhooks and an
// election, set up by envtest as its users do, with Coracle as the existing cluster. Run it by `make clients`.
package controllerruntime
