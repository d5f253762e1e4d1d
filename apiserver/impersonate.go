package apiserver

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/authentication/user"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"coracle/apiserver/decision"
)

// impersonate lets a caller act as somebody else: `kubectl --as`. Each thing that is impersonated (user, node or
// service account, every group, the uid, every extra value) needs a permission of its own; see mode.
// Source: k8s.io/apiserver/pkg/endpoints/filters/impersonation.
func (s *Server) impersonate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wanted, err := impersonation(r.Header)
		if err != nil {
			s.turnAway(w, r, apierrors.NewBadRequest(err.Error()))
			return
		}
		if wanted == nil {
			next.ServeHTTP(w, r)
			return
		}
		as, err := s.actAs(r.Context(), attributesOf(r), wanted)
		if err != nil {
			s.hint(r)
			s.turnAway(w, r, err)
			return
		}
		for name := range r.Header {
			if strings.HasPrefix(name, "Impersonate-") {
				r.Header.Del(name)
			}
		}
		rec := decision.From(r.Context())
		rec.Impersonator, rec.User = rec.User, as
		auditImpersonation(r.Context(), as, rec.Impersonation[len(rec.Impersonation)-1].Verb)
		next.ServeHTTP(w, r.WithContext(apirequest.WithUser(r.Context(), as)))
	})
}

// impersonation reads the Impersonate- headers: who is wanted, nil for nobody.
func impersonation(h http.Header) (*user.DefaultInfo, error) {
	u := &user.DefaultInfo{
		Name:   h.Get(authenticationv1.ImpersonateUserHeader),
		UID:    h.Get(authenticationv1.ImpersonateUIDHeader),
		Groups: h.Values(authenticationv1.ImpersonateGroupHeader),
	}
	for name, values := range h {
		rest, ok := strings.CutPrefix(name, authenticationv1.ImpersonateUserExtraHeaderPrefix)
		if !ok {
			continue
		}
		key := strings.ToLower(rest)
		if unescaped, err := url.PathUnescape(key); err == nil {
			key = unescaped
		}
		if u.Extra == nil {
			u.Extra = map[string][]string{}
		}
		u.Extra[key] = append(u.Extra[key], values...)
	}
	switch {
	case u.Name != "":
		return u, nil
	case u.UID != "" || len(u.Groups) > 0 || len(u.Extra) > 0:
		return nil, fmt.Errorf("requested %#v without impersonating a user name", u)
	}
	return nil, nil
}
