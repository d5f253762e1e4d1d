package apiserver

import (
	"fmt"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/user"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"coracle/apiserver/authz"
	"coracle/apiserver/decision"
	"coracle/apiserver/why"
	"coracle/rbac"
)

// authorize asks whether the caller may do this.
func (s *Server) authorize(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := attributesOf(r)
		answer := s.Authz.Authorize(r.Context(), a)
		if !answer.Allowed() {
			s.hint(r)
			s.fail(w, r, refused(a, answer))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// attributesOf collects what authorization may look at.
func attributesOf(r *http.Request) *rbac.Attributes {
	info := infoOf(r)
	a := &rbac.Attributes{User: userOf(r), Verb: info.Verb, Path: info.Path}
	if !info.IsResourceRequest {
		return a
	}
	a.ResourceRequest = true
	a.APIGroup, a.APIVersion = info.APIGroup, info.APIVersion
	a.Resource, a.Subresource = info.Resource, info.Subresource
	a.Namespace, a.Name = info.Namespace, info.Name
	// A selector that cannot be read restricts nothing here; the verb refuses it.
	if info.FieldSelector != "" {
		if sel, err := fields.ParseSelector(info.FieldSelector); err == nil {
			a.FieldSelector = sel.Requirements()
		}
	}
	if info.LabelSelector != "" {
		if sel, err := labels.Parse(info.LabelSelector); err == nil {
			a.LabelSelector, _ = sel.Requirements()
		}
	}
	return a
}

func infoOf(r *http.Request) *apirequest.RequestInfo {
	info, ok := apirequest.RequestInfoFrom(r.Context())
	if !ok {
		return &apirequest.RequestInfo{Path: r.URL.Path, Verb: strings.ToLower(r.Method)}
	}
	return info
}

func userOf(r *http.Request) user.Info {
	u, ok := apirequest.UserFrom(r.Context())
	if !ok {
		return &user.DefaultInfo{}
	}
	return u
}

// hint tells the client why it is refused, where a setting says so. Kubernetes would not.
func (s *Server) hint(r *http.Request) {
	if !s.HintClients {
		return
	}
	rec := *decision.From(r.Context())
	rec.Code = http.StatusForbidden
	warn(r.Context(), "why: "+why.Line(&rec))
	for _, command := range why.Advice(&rec) {
		warn(r.Context(), "smallest grant: "+command)
	}
}

// refused is a 403, or a 500 when an authorizer could not do its work.
func refused(a *rbac.Attributes, answer authz.Answer) error {
	if answer.Err != nil && answer.Verdict == authz.NoOpinion {
		return apierrors.NewInternalError(answer.Err)
	}
	return forbidden(a, answer.Reason())
}

// forbidden is Kubernetes' sentence for a refusal.
// Source: k8s.io/apiserver/pkg/endpoints/handlers/responsewriters.ForbiddenStatusError.
func forbidden(a *rbac.Attributes, reason string) error {
	name := ""
	if a.User != nil {
		name = a.User.GetName()
	}
	var msg string
	switch {
	case !a.ResourceRequest:
		msg = fmt.Sprintf("User %q cannot %s path %q", name, a.Verb, a.Path)
	default:
		resource := a.Resource
		if a.Subresource != "" {
			resource += "/" + a.Subresource
		}
		where := "at the cluster scope"
		if a.Namespace != "" {
			where = fmt.Sprintf("in the namespace %q", a.Namespace)
		}
		msg = fmt.Sprintf("User %q cannot %s resource %q in API group %q %s", name, a.Verb, resource, a.APIGroup, where)
	}
	// Nothing that a browser could take for HTML is sent back.
	msg = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(msg)
	if reason != "" {
		msg += ": " + reason
	}
	return apierrors.NewForbidden(schema.GroupResource{Group: a.APIGroup, Resource: a.Resource}, a.Name, fmt.Errorf("%s", msg))
}
