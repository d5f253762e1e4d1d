// Package crdvalidation checks CustomResourceDefinitions: whether a definition can be served, and whether it may
// become what a change makes of it.
//
// Source of the rules and sentences: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation, which cannot be
// linked, since it needs gRPC.
package crdvalidation
