package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/websocket"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/cri-streaming/pkg/streaming/portforward"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	"k8s.io/streaming/pkg/httpstream/wsstream"
)

// forwarder lets portforward reach the ports of a pod.
type forwarder struct {
	host Host
	pod  *corev1.Pod
}

func (f forwarder) PortForward(ctx context.Context, _, _ string, port int32, stream io.ReadWriteCloser) error {
	conn, err := f.host.Dial(ctx, f.pod, port)
	if err != nil {
		return err
	}
	splice(stream, conn)
	return nil
}

// lastWords is how long the client's half of a connection goes on when the pod has ended its own, as with containerd and socat.
const lastWords = 500 * time.Millisecond

// splice copies both ways until the pod's half ends, and closes both sides. A client that has said all it has to say gets its answer:
// the pod is told, where its side can be.
func splice(client, pod io.ReadWriteCloser) {
	said, answered := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(said)
		io.Copy(pod, client)
		if half, ok := pod.(interface{ CloseWrite() error }); ok {
			half.CloseWrite()
		} else {
			pod.Close()
		}
	}()
	go func() {
		defer close(answered)
		io.Copy(client, pod)
	}()
	<-answered
	select {
	case <-said:
	case <-time.After(lastWords):
	}
	client.Close()
	pod.Close()
}

// portForward answers /portForward/NAMESPACE/POD: by SPDY, by SPDY inside of a WebSocket, or by channels of a WebSocket.
func (s *Server) portForward(w http.ResponseWriter, r *http.Request, pod *corev1.Pod) {
	serve := func(w http.ResponseWriter, r *http.Request) {
		options, err := portforward.NewV4Options(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		portforward.ServePortForward(w, r, forwarder{s.Host, pod}, pod.Name+"_"+pod.Namespace, string(pod.UID), options, idleTimeout,
			remotecommand.DefaultStreamCreationTimeout, []string{portforward.ProtocolV1Name})
	}
	if wsstream.IsWebSocketRequestWithTunnelingProtocol(r) {
		tunnel(w, r, serve)
		return
	}
	serve(w, r)
}

// tunnelPrefix is what SPDY's protocols are called inside of a WebSocket (KEP-4006).
const tunnelPrefix = "SPDY/3.1+"

// tunnel serves a request for SPDY that comes inside of a WebSocket.
func tunnel(w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
	const supported = tunnelPrefix + portforward.ProtocolV1Name
	websocket.Server{
		Handshake: func(config *websocket.Config, _ *http.Request) error {
			if !slices.Contains(config.Protocol, supported) {
				return fmt.Errorf("requested protocol(s) are not supported: %v; supports [%s]", config.Protocol, supported)
			}
			config.Protocol = []string{supported}
			return nil
		},
		Handler: func(conn *websocket.Conn) {
			conn.PayloadType = websocket.BinaryFrame
			inner := r.Clone(r.Context())
			inner.Header = http.Header{}
			inner.Header.Set("Connection", "Upgrade")
			inner.Header.Set("Upgrade", "SPDY/3.1")
			inner.Header.Set("X-Stream-Protocol-Version", strings.TrimPrefix(supported, tunnelPrefix))
			serve(&tunnelled{conn: conn, header: http.Header{}}, inner)
		},
	}.ServeHTTP(w, r)
}

// tunnelled is the answer to a request inside of a tunnel: its head is not sent, for the WebSocket's was.
type tunnelled struct {
	conn   net.Conn
	header http.Header
}

func (t *tunnelled) Header() http.Header { return t.header }
func (t *tunnelled) WriteHeader(int)     {}
func (t *tunnelled) Write(p []byte) (int, error) {
	return 0, errors.New("a tunnel has no answer but its streams")
}
func (t *tunnelled) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return t.conn, bufio.NewReadWriter(bufio.NewReader(t.conn), bufio.NewWriter(t.conn)), nil
}

// dial answers POST /dial/NAMESPACE/POD/PORT: the connection becomes one to that port.
func (s *Server) dial(w http.ResponseWriter, r *http.Request, pod *corev1.Pod) {
	port, err := strconv.ParseUint(r.PathValue("port"), 10, 16)
	if err != nil || port == 0 || !strings.EqualFold(r.Header.Get("Upgrade"), "tcp") {
		http.Error(w, "the path has to end in a port, and the request to ask for an upgrade to tcp", http.StatusBadRequest)
		return
	}
	conn, err := s.Host.Dial(r.Context(), pod, int32(port))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer conn.Close()
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", "tcp")
	w.WriteHeader(http.StatusSwitchingProtocols)
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	client.SetDeadline(time.Time{})
	splice(struct {
		io.Reader
		io.WriteCloser
	}{buffered.Reader, client}, conn)
}
