// Package crdvalidation checks CustomResourceDefinitions: whether a definition can be served, and whether it may
// become what a change makes of it. It works on upstream's internal form, as upstream does, so that errors name the
// same paths.
//
// Source of the rules and sentences: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation, which cannot be
// linked, since it needs gRPC. Start reading at Validate.
//
// Simplifications: a change is checked as strictly as a creation (upstream is lenient with what was accepted by older
// releases, which there is none of here); schemas nest at most 128 levels deep.
package crdvalidation
