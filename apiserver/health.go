package apiserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"

	"github.com/gorilla/mux"
	"k8s.io/apimachinery/pkg/version"

	"coracle/apiserver/wire"
)

// Version is what /version answers.
type Version = version.Info

type healthKind int

const (
	alive healthKind = iota
	ready
)

// health answers `ok`, or a line per check with ?verbose, or when one fails.
// Source: k8s.io/apiserver/pkg/server/healthz.
func (s *Server) health(kind healthKind) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		checks := []Check{{Name: "ping"}, {Name: "log"}}
		name := "livez"
		if kind == ready {
			checks = append(checks, s.Ready...)
			checks = append(checks, Check{Name: "shutdown", Do: s.notStopping})
			name = "readyz"
		}
		if r.URL.Path == "/healthz" {
			name = "healthz"
		}
		one, exclude := mux.Vars(r)["check"], r.URL.Query()["exclude"]
		var lines bytes.Buffer
		failed, found := false, one == ""
		for _, c := range checks {
			if one != "" && c.Name != one {
				continue
			}
			found = true
			if slices.Contains(exclude, c.Name) {
				fmt.Fprintf(&lines, "[+]%s excluded: ok\n", c.Name)
				continue
			}
			if c.Do != nil {
				if err := c.Do(r.Context()); err != nil {
					failed = true
					fmt.Fprintf(&lines, "[-]%s failed: reason withheld\n", c.Name)
					continue
				}
			}
			fmt.Fprintf(&lines, "[+]%s ok\n", c.Name)
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, verbose := r.URL.Query()["verbose"]
		switch {
		case !found:
			notFound(w, r)
		case failed:
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprintf(w, "%s%s check failed\n", lines.Bytes(), name)
		case verbose:
			fmt.Fprintf(w, "%s%s check passed\n", lines.Bytes(), name)
		default:
			fmt.Fprint(w, "ok")
		}
		return nil
	}
}

func (s *Server) notStopping(_ context.Context) error {
	if s.stopping.Load() {
		return errors.New("process is shutting down")
	}
	return nil
}

func (s *Server) version(w http.ResponseWriter, r *http.Request) error {
	v := s.Version
	v.GoVersion, v.Compiler, v.Platform = runtime.Version(), runtime.Compiler, runtime.GOOS+"/"+runtime.GOARCH
	return sendJSON(w, r, v)
}

// sendJSON answers what is no API object. Upstream indents it whoever asks.
func sendJSON(w http.ResponseWriter, _ *http.Request, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", wire.JSON)
	w.Header().Set("Content-Length", fmt.Sprint(len(b)))
	w.Write(b)
	return nil
}
