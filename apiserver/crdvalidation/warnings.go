package crdvalidation

import (
	"fmt"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// Warnings are for what is allowed and does not do what one might hope; old, nil for a new definition, has had its own.
func Warnings(crd, old *apiextensionsv1.CustomResourceDefinition) []string {
	texts := warningsOf(crd)
	if old != nil {
		had := warningsOf(old)
		texts = slices.DeleteFunc(texts, func(text string) bool { return slices.Contains(had, text) })
	}
	return texts
}

func warningsOf(crd *apiextensionsv1.CustomResourceDefinition) []string {
	if tooDeep(crd) != nil {
		return nil
	}
	var texts []string
	for _, v := range crd.Spec.Versions {
		if v.Schema != nil {
			texts = append(texts, schemaWarnings(v.Schema.OpenAPIV3Schema)...)
		}
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

func schemaWarnings(s *apiextensionsv1.JSONSchemaProps) []string {
	if s == nil {
		return nil
	}
	var texts []string
	if s.Format != "" {
		value := &spec.Schema{SchemaProps: spec.SchemaProps{Format: s.Format, Type: spec.StringOrArray{s.Type}}}
		for _, f := range validation.GetUnrecognizedFormats(value, environment.DefaultCompatibilityVersion()) {
			texts = append(texts, fmt.Sprintf("unrecognized format %q", f))
		}
	}
	for _, p := range s.Properties {
		texts = append(texts, schemaWarnings(&p)...)
	}
	if s.Items != nil && s.Items.Schema != nil {
		if item := s.Items.Schema; s.XListType != nil && *s.XListType == "set" && (item.Type == "object" || item.Type == "array") {
			texts = append(texts, fmt.Sprintf("x-kubernetes-list-type: set for items of type %q is not supported by server-side apply or CEL validation rules", item.Type))
		}
		texts = append(texts, schemaWarnings(s.Items.Schema)...)
	}
	if s.AdditionalProperties != nil {
		texts = append(texts, schemaWarnings(s.AdditionalProperties.Schema)...)
	}
	return texts
}
