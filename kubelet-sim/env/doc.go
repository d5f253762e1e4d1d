// Package env works out a container's environment: the variables that it declares, what they refer to, and the
// services of its namespace.
//
// Nouns: Env (the variables), Sources (where referenced objects come from). Start reading at Build.
//
// Simplifications: variables from files of a volume (fileKeyRef) are refused
// (upstream: pkg/kubelet/kubelet_pods.go makeEnvironmentVariables).
package env
