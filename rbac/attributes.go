package rbac

import (
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/authentication/user"
)

// Attributes say who wants to do what: all that authorization may look at.
// Source: k8s.io/apiserver/pkg/authorization/authorizer.Attributes.
type Attributes struct {
	User user.Info
	Verb string // get, list, watch, create, update, patch, delete, deletecollection, or a special one such as impersonate

	// Resource requests: /api/..., /apis/...
	ResourceRequest bool
	APIGroup        string
	APIVersion      string
	Resource        string
	Subresource     string
	Namespace       string
	Name            string

	// FieldSelector and LabelSelector are the requirements of a list, watch or deletecollection, nil for none.
	FieldSelector fields.Requirements
	LabelSelector labels.Requirements

	// Unserved tells that the server has no such resource, as far as is known. No rule depends on it, but what is
	// recommended does: kubectl's own words mean something else then, or nothing.
	Unserved bool

	// Path is the URL path; the only thing known of a request that is not for a resource.
	Path string
}
