package apiserver

import (
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"
	"strconv"

	"github.com/gorilla/mux"
)

// flagsPage lists what can be set while the server runs.
const flagsPage = `<html>
<head>
<title>/debug/flags/</title>
</head>
<body>
/debug/flags/<br>
<br>
flags:<br>
<table>
<tr>v<br>
</table>
<br>
full flags configurable<br>
</body>
</html>
`

// debug serves what tells of the server's own work, at the places where kube-apiserver does with --profiling. They are no
// resources: who may come there is a matter of nonResourceURLs.
func (s *Server) debug(router *mux.Router) {
	router.Handle("/debug/pprof", http.RedirectHandler("/debug/pprof/", http.StatusFound))
	router.Handle("/debug/pprof/profile", http.HandlerFunc(pprof.Profile))
	router.Handle("/debug/pprof/symbol", http.HandlerFunc(pprof.Symbol))
	router.Handle("/debug/pprof/trace", http.HandlerFunc(pprof.Trace))
	router.PathPrefix("/debug/pprof/").Handler(http.HandlerFunc(pprof.Index))
	if s.SetVerbosity == nil {
		return
	}
	router.Handle("/debug/flags/v", http.HandlerFunc(s.verbosity))
	index := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, flagsPage) })
	router.Handle("/debug/flags", index)
	router.PathPrefix("/debug/flags/").Handler(index)
}

// verbosity takes a number, in its own decimal digits: how much is logged from now on.
// Source: k8s.io/apiserver/pkg/server/routes.StringFlagPutHandler.
func (s *Server) verbosity(w http.ResponseWriter, r *http.Request) {
	code, said := http.StatusOK, ""
	if r.Method != http.MethodPut {
		code, said = http.StatusNotAcceptable, "unsupported http method"
	} else if body, err := io.ReadAll(r.Body); err != nil {
		code, said = http.StatusBadRequest, "error reading request body: "+err.Error()
	} else if v, err := strconv.ParseUint(string(body), 10, 31); err != nil {
		code, said = http.StatusBadRequest, err.Error()
	} else {
		s.SetVerbosity(int(v))
		said = fmt.Sprintf("successfully set klog.logging.verbosity to %s", body)
	}
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	fmt.Fprintln(w, said)
}
