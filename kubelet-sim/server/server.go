package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"
)

// Host is the node.
type Host interface {
	// Pods are all that the node runs.
	Pods() []corev1.Pod
	// Pod is one of them, nil when there is none of that name.
	Pod(namespace, name string) *corev1.Pod
	// Logs writes what a container wrote. Its errors are for the client: 400.
	Logs(ctx context.Context, pod *corev1.Pod, container string, options *corev1.PodLogOptions, stdout, stderr io.Writer) error
	// Exec runs a command in a container that runs, and returns its exit code.
	Exec(ctx context.Context, pod *corev1.Pod, container string, command []string, s Streams) (code int, err error)
	// Attach connects to the process of a container until it ends.
	Attach(ctx context.Context, pod *corev1.Pod, container string, s Streams) error
	// Running tells whether a container's process runs.
	Running(pod *corev1.Pod, container string) bool
	// Dial connects to a port of a pod.
	Dial(ctx context.Context, pod *corev1.Pod, port int32) (net.Conn, error)
}

// Streams are those of a process. Stdin and Stderr may be nil.
type Streams struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	TTY            bool
}

// Config is what a Server needs; all of it.
type Config struct {
	Node string
	Host Host
	// Client asks the API server about tokens and permissions, as the node.
	Client kubernetes.Interface
	// Certificate is the one that is served now.
	Certificate func() (*tls.Certificate, error)
	// ClientCAs are the authorities whose client certificates are taken now.
	ClientCAs func() *x509.CertPool
	Now       func() time.Time
	Log       *slog.Logger
}

// Server answers the kubelet's API.
type Server struct {
	Config
	mux *http.ServeMux
}

// New makes a server.
func New(c Config) *Server {
	s := &Server{Config: c, mux: http.NewServeMux()}
	s.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	s.mux.HandleFunc("GET /pods", s.pods(func(*corev1.Pod) bool { return true }))
	s.mux.HandleFunc("GET /runningpods/", s.pods(func(p *corev1.Pod) bool { return p.Status.Phase == corev1.PodRunning }))
	s.mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", s.onPod(s.logs))
	for _, uid := range []string{"", "/{uid}"} {
		for _, method := range []string{"GET", "POST"} {
			s.mux.HandleFunc(method+" /exec/{namespace}/{pod}"+uid+"/{container}", s.onPod(s.exec))
			s.mux.HandleFunc(method+" /attach/{namespace}/{pod}"+uid+"/{container}", s.onPod(s.attach))
			s.mux.HandleFunc(method+" /portForward/{namespace}/{pod}"+uid, s.onPod(s.portForward))
		}
		s.mux.HandleFunc("POST /run/{namespace}/{pod}"+uid+"/{container}", s.onPod(s.run))
	}
	s.mux.HandleFunc("POST /dial/{namespace}/{pod}/{port}", s.onPod(s.dial))
	return s
}

// headTimeout bounds how long a client may take over a request's head.
const headTimeout = 30 * time.Second

// Serve answers at the listener until ctx ends; all connections end then.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	streams := klog.NewContext(ctx, logr.FromSlogHandler(chatter{s.Log.Handler()}))
	taken := &hijacked{conns: map[net.Conn]bool{}}
	server := &http.Server{
		Handler: s, ReadHeaderTimeout: headTimeout, IdleTimeout: 90 * time.Second,
		BaseContext: func(net.Listener) context.Context { return streams },
		ConnState:   taken.note,
		ErrorLog:    log.New(io.Discard, "", 0), // handshakes that fail are the client's to tell
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert,
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.Certificate() },
		},
		// Connections are handed over to streams, which HTTP/2 cannot.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	defer context.AfterFunc(ctx, func() {
		server.Close()
		taken.close()
	})()
	if err := server.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("the node's own API stopped listening: %w", err)
	}
	return nil
}

// hijacked are the connections that streams have taken over, which http.Server does not close.
type hijacked struct {
	mu    sync.Mutex
	conns map[net.Conn]bool
	ended bool
}

func (h *hijacked) note(c net.Conn, state http.ConnState) {
	if state != http.StateHijacked {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		c.Close()
		return
	}
	h.conns[c] = true
}

func (h *hijacked) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	for c := range h.conns {
		c.Close()
	}
}

// ServeHTTP takes a request through authentication and authorization to its handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	who, err := s.authenticate(r)
	if err != nil {
		s.Log.Warn("the node's API refuses somebody", "path", r.URL.Path, "err", err)
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
		return
	}
	if refusal := s.authorize(r, who); refusal != "" {
		http.Error(w, refusal, http.StatusForbidden)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// onPod finds the pod that a path names.
func (s *Server) onPod(next func(http.ResponseWriter, *http.Request, *corev1.Pod)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("pod")
		pod := s.Host.Pod(r.PathValue("namespace"), name)
		if uid := r.PathValue("uid"); pod == nil || uid != "" && uid != string(pod.UID) {
			http.Error(w, fmt.Sprintf("pod %q does not exist", name), http.StatusNotFound)
			return
		}
		next(w, r, pod)
	}
}

func (s *Server) pods(wanted func(*corev1.Pod) bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		list := corev1.PodList{Items: []corev1.Pod{}}
		list.APIVersion, list.Kind = "v1", "PodList"
		for _, pod := range s.Host.Pods() {
			if wanted(&pod) {
				list.Items = append(list.Items, pod)
			}
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(list)
	}
}
