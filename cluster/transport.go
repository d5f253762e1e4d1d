package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// transport hands the requests of this process's own components straight to the server: no socket, no TLS
// handshake, no second copy of the bytes. They authenticate all the same, with the client certificate
// that they would present in a handshake.
type transport struct {
	handler http.Handler
	chain   func() []*x509.Certificate // nil: none
}

// RoundTrip runs the server's handler in a goroutine of its own, which ends with the response's body,
// with the request's context, or when the handler returns.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	r := req.Clone(ctx)
	r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true}
	if t.chain != nil {
		r.TLS.PeerCertificates = t.chain()
	}
	r.RequestURI = req.URL.RequestURI()
	r.Host = req.URL.Host
	r.RemoteAddr = "127.0.0.1:0"
	if r.Body == nil {
		r.Body = http.NoBody
	}
	pr, pw := io.Pipe()
	w := &exchange{header: http.Header{}, body: pw, answered: make(chan struct{})}
	go func() {
		defer cancel()
		defer r.Body.Close()
		defer func() {
			p := recover() // http.ErrAbortHandler cuts an answer short, here as on a connection
			w.WriteHeader(http.StatusOK)
			if p != nil {
				pw.CloseWithError(fmt.Errorf("the server cut the answer short: %v", p))
				return
			}
			pw.Close()
		}()
		t.handler.ServeHTTP(w, r)
	}()
	select {
	case <-w.answered:
	case <-req.Context().Done():
		cancel()
		pr.CloseWithError(req.Context().Err())
		return nil, req.Context().Err()
	}
	return &http.Response{
		Status:        fmt.Sprintf("%d %s", w.code, http.StatusText(w.code)),
		StatusCode:    w.code,
		Proto:         "HTTP/2.0",
		ProtoMajor:    2,
		Header:        w.sent,
		Body:          &answer{PipeReader: pr, cancel: cancel},
		ContentLength: -1,
		Request:       req,
	}, nil
}

// exchange is the server's side of one request.
type exchange struct {
	header   http.Header
	body     *io.PipeWriter
	once     sync.Once
	answered chan struct{} // closed when code and sent are there
	code     int
	sent     http.Header
}

func (w *exchange) Header() http.Header { return w.header }

func (w *exchange) WriteHeader(code int) {
	w.once.Do(func() {
		w.code, w.sent = code, w.header.Clone()
		close(w.answered)
	})
}

func (w *exchange) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// Flush sends the header; bytes are never held back.
func (w *exchange) Flush() { w.WriteHeader(http.StatusOK) }

// answer ends the request when its reader is done with it.
type answer struct {
	*io.PipeReader
	cancel context.CancelFunc
}

func (a *answer) Close() error {
	a.cancel()
	return a.PipeReader.Close()
}
