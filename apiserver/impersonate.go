package apiserver

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"coracle/apiserver/decision"
	"coracle/rbac"
)

// impersonate lets a caller act as somebody else: `kubectl --as`. Each thing that is impersonated (user or
// service account, every group, the uid, every extra value) needs the verb `impersonate` on it.
// Source: k8s.io/apiserver/pkg/endpoints/filters/impersonation.
func (s *Server) impersonate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wanted, permissions, err := impersonation(r.Header)
		if err != nil {
			s.fail(w, r, apierrors.NewInternalError(err))
			return
		}
		if wanted == nil {
			next.ServeHTTP(w, r)
			return
		}
		rec := decision.From(r.Context())
		real := rec.User
		for _, p := range permissions {
			p.User, p.Verb, p.ResourceRequest = real, "impersonate", true
			answer := s.Authz.Ask(r.Context(), &p)
			for _, o := range answer.Opinions {
				o.Verb, o.On = p.Verb, p.Resource+" "+p.Name
				rec.Impersonation = append(rec.Impersonation, o)
			}
			if !answer.Allowed() {
				s.fail(w, r, refused(&p, answer))
				return
			}
		}
		for name := range r.Header {
			if strings.HasPrefix(name, "Impersonate-") {
				r.Header.Del(name)
			}
		}
		rec.Impersonator, rec.User = real, wanted
		next.ServeHTTP(w, r.WithContext(apirequest.WithUser(r.Context(), wanted)))
	})
}

// impersonation reads the Impersonate- headers: who is wanted, and which permissions that takes.
// A nil user means that nobody is impersonated.
func impersonation(h http.Header) (*user.DefaultInfo, []rbac.Attributes, error) {
	name := h.Get(authenticationv1.ImpersonateUserHeader)
	groups := h.Values(authenticationv1.ImpersonateGroupHeader)
	uid := h.Get(authenticationv1.ImpersonateUIDHeader)
	extra := map[string][]string{}
	for key, values := range h {
		if rest, ok := strings.CutPrefix(key, authenticationv1.ImpersonateUserExtraHeaderPrefix); ok {
			unescaped, err := url.PathUnescape(strings.ToLower(rest))
			if err != nil {
				unescaped = strings.ToLower(rest)
			}
			extra[unescaped] = append(extra[unescaped], values...)
		}
	}
	if name == "" {
		if len(groups) > 0 || uid != "" || len(extra) > 0 {
			return nil, nil, errors.New("requested user groups, UID, or extra info to impersonate without impersonating a user")
		}
		return nil, nil, nil
	}

	u := &user.DefaultInfo{Name: name, UID: uid, Groups: groups}
	var need []rbac.Attributes
	if ns, account, err := serviceaccount.SplitUsername(name); err == nil {
		need = append(need, rbac.Attributes{APIVersion: "v1", Resource: "serviceaccounts", Namespace: ns, Name: account})
		if len(groups) == 0 {
			u.Groups = serviceaccount.MakeGroupNames(ns)
		}
	} else {
		need = append(need, rbac.Attributes{APIVersion: "v1", Resource: "users", Name: name})
	}
	for _, g := range groups {
		need = append(need, rbac.Attributes{APIVersion: "v1", Resource: "groups", Name: g})
	}
	for key, values := range extra {
		for _, v := range values {
			need = append(need, rbac.Attributes{
				APIGroup: authenticationv1.SchemeGroupVersion.Group, APIVersion: "v1",
				Resource: "userextras", Subresource: key, Name: v,
			})
		}
	}
	if len(extra) > 0 {
		u.Extra = extra
	}
	if uid != "" {
		need = append(need, rbac.Attributes{
			APIGroup: authenticationv1.SchemeGroupVersion.Group, APIVersion: "v1", Resource: "uids", Name: uid,
		})
	}
	u.Groups = withSystemGroup(name, u.Groups)
	return u, need, nil
}

// withSystemGroup adds the group that authentication would have added.
func withSystemGroup(name string, groups []string) []string {
	add := user.AllAuthenticated
	if name == user.Anonymous {
		add = user.AllUnauthenticated
	}
	for _, g := range groups {
		if g == user.AllAuthenticated || g == user.AllUnauthenticated {
			return groups
		}
	}
	return append(groups[:len(groups):len(groups)], add)
}
