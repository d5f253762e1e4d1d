// Package status says what a pod's status is, given what its containers do: phase, conditions, quality of service.
//
// All of it is pure: no clock but the time it is given, no client. Start reading at Generate.
//
// Simplifications: probes count as passed as soon as their container runs, and containers restart one by one only
// (restart rules with the action RestartAllContainers fall back to the container's policy;
// upstream: pkg/kubelet/status/generate.go, pkg/kubelet/kubelet_pods.go).
package status
