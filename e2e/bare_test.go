package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"

	bolt "go.etcd.io/bbolt"
)

// bareVariable makes the test binary a bare server, on the data directory of the cluster whose certificate it borrows.
const bareVariable = "CORACLE_BARE_SERVER"

// serveBare is what Coracle's speed is measured against: net/http with TLS and HTTP/2, and behind it nothing but the
// same bytes. It prints its URL and serves until it is killed.
//
//	POST /keep          keeps the body, in memory, as what is served
//	GET  /object        answers what is kept
//	GET  /stream?n=N    sends it N times, flushing each time, from POST /start on
//	POST /commit        commits the body to a bbolt file of its own, with an fsync
func serveBare(dir string) error {
	certificate, err := tls.LoadX509KeyPair(filepath.Join(dir, "pki", "apiserver.crt"), filepath.Join(dir, "pki", "apiserver.key"))
	if err != nil {
		return err
	}
	db, err := bolt.Open(filepath.Join(dir, "bare.db"), 0o600, nil)
	if err != nil {
		return err
	}
	if err := db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucketIfNotExists([]byte("b")); return err }); err != nil {
		return err
	}
	var kept atomic.Pointer[[]byte]
	var written atomic.Int64
	begin := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /keep", func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err == nil {
			kept.Store(&b)
		}
	})
	mux.HandleFunc("GET /object", func(w http.ResponseWriter, _ *http.Request) {
		b := *kept.Load()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(b)))
		w.Write(b)
	})
	mux.HandleFunc("POST /start", func(http.ResponseWriter, *http.Request) { close(begin) })
	mux.HandleFunc("GET /stream", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.URL.Query().Get("n"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		rc := http.NewResponseController(w)
		rc.Flush()
		<-begin
		for b := *kept.Load(); n > 0; n-- {
			w.Write(b)
			rc.Flush()
		}
	})
	mux.HandleFunc("POST /commit", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err == nil {
			err = db.Update(func(tx *bolt.Tx) error {
				return tx.Bucket([]byte("b")).Put(fmt.Appendf(nil, "%016d", written.Add(1)), b)
			})
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusCreated)
		w.Write(b)
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("https://%s\n", l.Addr())
	s := &http.Server{Handler: mux, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequestClientCert}}
	return s.ServeTLS(l, "", "")
}

func runBare() {
	if dir := os.Getenv(bareVariable); dir != "" {
		fmt.Fprintln(os.Stderr, serveBare(dir))
		os.Exit(1)
	}
}
