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
		switch {
		case answer.Allowed():
			auditVerdict(r.Context(), "allow", answer.Reason)
		case answer.Err != nil:
			auditVerdict(r.Context(), "", func() string { return "internal error" })
			s.failPlain(w, r, answer.Err)
			return
		default:
			auditVerdict(r.Context(), "forbid", answer.Reason)
			a.Unserved = !s.serves(a)
			s.hint(r)
			s.turnAway(w, r, forbidden(a, answer.Reason()))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// turnAway answers who is not let in. Browsers must not take it for anything else than it says.
func (s *Server) turnAway(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	s.fail(w, r, err)
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

// serves tells whether there is such a resource.
func (s *Server) serves(a *rbac.Attributes) bool {
	gr := schema.GroupResource{Group: a.APIGroup, Resource: a.Resource}
	return !a.ResourceRequest || s.Catalog.ByResource(gr.WithVersion(a.APIVersion)) != nil || s.Catalog.Stored(gr) != nil
}

// hint tells the client why it is refused, where a setting says so. Kubernetes would not.
func (s *Server) hint(r *http.Request) {
	if !s.HintClients {
		return
	}
	rec := *decision.From(r.Context())
	rec.Code = http.StatusForbidden
	warn(r.Context(), "why: "+why.OwnLine(&rec))
	for _, command := range why.Advice(&rec) {
		warn(r.Context(), "smallest grant: "+command)
	}
}

// refused is the 403 where a further permission is asked for, as impersonating needs. What went wrong on the way is told
// before the reason.
// Source: k8s.io/apiserver/pkg/endpoints/filters/impersonation, checkAuthorization.
func refused(a *rbac.Attributes, answer authz.Answer) error {
	reason := answer.Reason()
	switch {
	case answer.Err != nil && reason != "":
		reason = answer.Err.Error() + ": " + reason
	case answer.Err != nil:
		reason = answer.Err.Error()
	}
	return forbidden(a, reason)
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
	msg = withoutMarkup(msg)
	if reason != "" {
		msg += ": " + reason
	}
	return apierrors.NewForbidden(schema.GroupResource{Group: a.APIGroup, Resource: a.Resource}, a.Name, fmt.Errorf("%s", msg))
}

func withoutMarkup(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
