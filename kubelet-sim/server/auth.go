package server

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// authenticate finds out who asks: by the client certificate, else by a token that the API server knows.
func (s *Server) authenticate(r *http.Request) (who authenticationv1.UserInfo, err error) {
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		if who, err = s.certified(r.TLS.PeerCertificates); err == nil {
			return who, nil
		}
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "Bearer") || token == "" {
		if err == nil {
			err = errors.New("there is neither a client certificate nor a token")
		}
		return who, err
	}
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
	review, err = s.Client.AuthenticationV1().TokenReviews().Create(r.Context(), review, metav1.CreateOptions{})
	if err != nil {
		return who, fmt.Errorf("ask the API server whose a token is: %w", err)
	}
	if !review.Status.Authenticated {
		return who, errors.New("the API server does not know the token")
	}
	return review.Status.User, nil
}

// certified is whom a certificate names, if the cluster's authority has signed it for clients.
func (s *Server) certified(chain []*x509.Certificate) (who authenticationv1.UserInfo, err error) {
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err = chain[0].Verify(x509.VerifyOptions{
		Roots: s.ClientCAs(), Intermediates: between, CurrentTime: s.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return who, err
	}
	name := chain[0].Subject
	if name.CommonName == "" {
		return who, errors.New("the client certificate has no common name")
	}
	return authenticationv1.UserInfo{Username: name.CommonName, Groups: append(name.Organization, "system:authenticated")}, nil
}

// authorize asks the API server, and returns the refusal, if it is one.
// Source: k8s.io/kubernetes/pkg/kubelet/server (InstallAuthRequiredHandlers' filter).
func (s *Server) authorize(r *http.Request, who authenticationv1.UserInfo) (refusal string) {
	verb := map[string]string{"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}[r.Method]
	subresources := subresources(r.URL.Path)
	extra := map[string]authorizationv1.ExtraValue{}
	for key, values := range who.Extra {
		extra[key] = authorizationv1.ExtraValue(values)
	}
	for _, subresource := range subresources {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: who.Username, Groups: who.Groups, UID: who.UID, Extra: extra,
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Verb: verb, Version: "v1", Resource: "nodes", Subresource: subresource, Name: s.Node,
			},
		}}
		review, err := s.Client.AuthorizationV1().SubjectAccessReviews().Create(r.Context(), review, metav1.CreateOptions{})
		if err != nil {
			s.Log.Warn("the API server does not tell who may use the node's API", "err", err)
			return fmt.Sprintf("Authorization error (user=%s, verb=%s, resource=nodes, subresource(s)=%v)", who.Username, verb, subresources)
		}
		if review.Status.Allowed {
			return ""
		}
	}
	return fmt.Sprintf("Forbidden (user=%s, verb=%s, resource=nodes, subresource(s)=%v)", who.Username, verb, subresources)
}

// subresources are those of the node whose permission lets somebody ask for a path; one is enough (KEP-2862).
func subresources(path string) []string {
	under := func(root string) bool { return path == root || strings.HasPrefix(path, root+"/") }
	switch {
	case under("/pods"), under("/runningpods"):
		return []string{"pods", "proxy"}
	case under("/healthz"):
		return []string{"healthz", "proxy"}
	}
	return []string{"proxy"}
}
