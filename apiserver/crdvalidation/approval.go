package crdvalidation

import (
	"fmt"
	"net/url"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// Protected tells whether a group belongs to Kubernetes: definitions in it say who has approved them.
func Protected(group string) bool {
	for _, owned := range []string{"k8s.io", "kubernetes.io"} {
		if group == owned || strings.HasSuffix(group, "."+owned) {
			return true
		}
	}
	return false
}

// Approval says what the annotation api-approved.kubernetes.io is worth.
type Approval int

// The states of an approval.
const (
	Invalid  Approval = iota
	Approved          // the annotation is the URL of the approval
	Bypassed          // it begins with "unapproved": somebody knows what they do
	Missing
)

// ApprovalOf reads the annotation, with upstream's sentence about it.
// Source: k8s.io/apiextensions-apiserver/pkg/apihelpers.
func ApprovalOf(annotations map[string]string) (Approval, string) {
	const key, see = apiextensionsv1.KubeAPIApprovedAnnotation, "see https://github.com/kubernetes/enhancements/pull/1111"
	text := annotations[key]
	at, err := url.ParseRequestURI(text)
	switch {
	case text == "":
		return Missing, fmt.Sprintf("protected groups must have approval annotation %q, %s", key, see)
	case strings.HasPrefix(text, "unapproved"):
		return Bypassed, fmt.Sprintf("not approved: %q", text)
	case err == nil && at.Host != "" && at.Scheme != "":
		return Approved, "approved in " + text
	}
	return Invalid, fmt.Sprintf("protected groups must have approval annotation %q with either a URL or a reason starting with \"unapproved\", %s", key, see)
}
