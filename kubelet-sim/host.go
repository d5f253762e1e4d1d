package kubeletsim

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"coracle/kubelet-sim/server"
	"coracle/kubelet-sim/shell"
)

// A node is the Host of its own API.

func (n *node) Pods() (pods []corev1.Pod) {
	for _, pod := range n.workers.pods() {
		pods = append(pods, *pod)
	}
	return pods
}

func (n *node) Pod(namespace, name string) *corev1.Pod {
	for _, pod := range n.workers.pods() {
		if pod.Namespace == namespace && pod.Name == name {
			return pod
		}
	}
	return nil
}

func (n *node) Running(pod *corev1.Pod, container string) bool {
	_, runs := n.processes.find(pod.UID, container)
	return runs
}

func (n *node) Exec(ctx context.Context, pod *corev1.Pod, container string, command []string, s server.Streams) (int, error) {
	process, ok := n.processes.find(pod.UID, container)
	if !ok {
		return 0, fmt.Errorf("container not found (%q)", container)
	}
	stderr := s.Stderr
	if stderr == nil {
		stderr = s.Stdout
	}
	return n.shell(process).Run(ctx, command, shell.Streams{In: s.Stdin, Out: s.Stdout, Err: stderr, Terminal: s.TTY})
}

// shell is where commands run in a container.
func (n *node) shell(process Process) shell.Container {
	c := shell.Container{Files: containerFiles{process}, Env: process.Env, Dir: process.Container.WorkingDir, Hostname: process.Pod.Name, Now: n.now}
	if process.Pod.Spec.Hostname != "" {
		c.Hostname = process.Pod.Spec.Hostname
	}
	if pod := process.Pod.Spec.SecurityContext; pod != nil {
		c.UID, c.GID = either(pod.RunAsUser, c.UID), either(pod.RunAsGroup, c.GID)
	}
	if own := process.Container.SecurityContext; own != nil {
		c.UID, c.GID = either(own.RunAsUser, c.UID), either(own.RunAsGroup, c.GID)
	}
	c.Dial = func(ctx context.Context) (net.Conn, error) {
		if n.config.APIServer == "" {
			return nil, fmt.Errorf("this node does not tell where the API server is")
		}
		var d net.Dialer
		return d.DialContext(ctx, "tcp", n.config.APIServer)
	}
	return c
}

func either(chosen *int64, fallback int64) int64 {
	if chosen != nil {
		return *chosen
	}
	return fallback
}

// Attach shows what the process writes from now on. What comes in nobody reads, as with most servers; a container whose command is a
// shell, and that was given a terminal or an input, is one.
func (n *node) Attach(ctx context.Context, pod *corev1.Pod, container string, s server.Streams) error {
	process, ok := n.processes.find(pod.UID, container)
	if !ok {
		return fmt.Errorf("container not found (%q)", container)
	}
	if s.Stdin != nil && process.Container.Stdin && len(process.Args) == 1 && shell.IsShell(process.Args[0]) {
		_, err := n.Exec(ctx, pod, container, process.Args, s)
		return err
	}
	stderr := s.Stderr
	if stderr == nil {
		stderr = io.Discard
	}
	options := &corev1.PodLogOptions{Follow: true, TailLines: new(int64(0))}
	return n.Logs(ctx, pod, container, options, s.Stdout, stderr)
}

// Dial connects to a port that a container says it has. What listens there is a small server that tells whom one has reached.
func (n *node) Dial(_ context.Context, pod *corev1.Pod, port int32) (net.Conn, error) {
	for _, container := range pod.Spec.Containers {
		for _, p := range container.Ports {
			if p.ContainerPort != port || p.Protocol != "" && p.Protocol != corev1.ProtocolTCP {
				continue
			}
			if _, runs := n.processes.find(pod.UID, container.Name); runs {
				client, served := duplex()
				go introduce(served, pod, container.Name)
				return client, nil
			}
		}
	}
	return nil, fmt.Errorf("failed to connect to localhost:%d inside namespace %q, IPv4: dial tcp4 127.0.0.1:%d: connect: connection refused", port, pod.UID, port)
}

// introduce serves one connection: it tells which container was reached, and what was asked.
func introduce(conn net.Conn, pod *corev1.Pod, container string) {
	one := &oneConn{conn: conn, closed: make(chan struct{})}
	server := &http.Server{
		ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 90 * time.Second,
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				one.Close()
			}
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			fmt.Fprintf(w, "pod: %s\nnamespace: %s\ncontainer: %s\nservice account: %s\nnode: %s\nrequest: %s %s\n",
				pod.Name, pod.Namespace, container, pod.Spec.ServiceAccountName, pod.Spec.NodeName, r.Method, strings.ToValidUTF8(r.URL.RequestURI(), "?"))
		}),
	}
	server.Serve(one) // until the connection ends
}

// oneConn is a listener to which one connection comes.
type oneConn struct {
	conn   net.Conn
	closed chan struct{}
	taken  bool // by Accept, which one goroutine calls
}

func (l *oneConn) Accept() (net.Conn, error) {
	if !l.taken {
		l.taken = true
		return l.conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }
