package apiserver

import (
	"net/http"

	"github.com/gorilla/mux"
)

func (s *Server) openAPIv2(w http.ResponseWriter, r *http.Request) error {
	return s.OpenAPI.Everything(w, r)
}

func (s *Server) openAPIv3(w http.ResponseWriter, r *http.Request) error {
	return s.OpenAPI.Index(w, r)
}

func (s *Server) openAPIv3Group(w http.ResponseWriter, r *http.Request) error {
	found, err := s.OpenAPI.Chapter(w, r, mux.Vars(r)["path"])
	if !found && err == nil {
		w.WriteHeader(http.StatusNotFound)
	}
	return err
}

// openIDConfiguration and jwks are what relying parties fetch to verify service-account tokens.
func (s *Server) openIDConfiguration(w http.ResponseWriter, _ *http.Request) error {
	b, err := s.Tokens.Issuer()
	return sendRaw(w, "application/json", b, err)
}

func (s *Server) jwks(w http.ResponseWriter, _ *http.Request) error {
	b, err := s.Tokens.JWKS()
	return sendRaw(w, "application/jwk-set+json", b, err)
}

func sendRaw(w http.ResponseWriter, media string, b []byte, err error) error {
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", media)
	w.Header().Set("Cache-Control", "public, max-age=3600")
	_, err = w.Write(b)
	return err
}
