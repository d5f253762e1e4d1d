// Package config makes the chain of authorizers from kube-apiserver's settings: the flags --authorization-mode and
// --authorization-webhook-*, or the file of --authorization-config, an AuthorizationConfiguration of
// apiserver.config.k8s.io/v1, which is read again when it changes.
//
// Nouns: Flags (the settings), Parts (what authorizers are made of), Live (the chain as it is now).
// Start reading at New.
//
// Simplifications:
//   - A changed file is noticed within a second by looking at it, not by the system's notifications.
//
// Source: pkg/kubeapiserver/authorizer, pkg/kubeapiserver/options/authorization.go. Background: KEP-3221.
package config
