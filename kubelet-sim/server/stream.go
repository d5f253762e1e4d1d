package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	"k8s.io/streaming/pkg/httpstream/wsstream"
	utilexec "k8s.io/utils/exec"
)

const (
	// idleTimeout ends streams on which nothing happens, as streamingConnectionIdleTimeout's default.
	idleTimeout = 4 * time.Hour
	// maxRun bounds, in bytes, what the answer to /run may hold.
	maxRun = 16 << 20
)

// session is one process that somebody is connected to.
type session func(ctx context.Context, s Streams) (code int, err error)

// exec answers /exec/NAMESPACE/POD/CONTAINER?command=…
func (s *Server) exec(w http.ResponseWriter, r *http.Request, pod *corev1.Pod) {
	container, command := r.PathValue("container"), r.URL.Query()["command"]
	if len(command) == 0 {
		http.Error(w, "you must specify at least 1 command", http.StatusBadRequest)
		return
	}
	s.stream(w, r, pod, container, "error executing command in container", func(ctx context.Context, streams Streams) (int, error) {
		return s.Host.Exec(ctx, pod, container, command, streams)
	})
}

// attach answers /attach/NAMESPACE/POD/CONTAINER.
func (s *Server) attach(w http.ResponseWriter, r *http.Request, pod *corev1.Pod) {
	container := r.PathValue("container")
	s.stream(w, r, pod, container, "error attaching to container", func(ctx context.Context, streams Streams) (int, error) {
		return 0, s.Host.Attach(ctx, pod, container, streams)
	})
}

// stream connects a client, by WebSocket or SPDY, with a process.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, pod *corev1.Pod, container, failed string, run session) {
	options, err := remotecommand.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !s.Host.Running(pod, container) {
		http.Error(w, fmt.Sprintf("container not found (%q)", container), http.StatusInternalServerError)
		return
	}
	w, r, cancel := untilHangUp(w, r)
	defer cancel()
	if wsstream.IsWebSocketRequest(r) {
		serveWebSocket(w, r, options, failed, run)
		return
	}
	remotecommand.ServeExec(w, r, executor{run}, pod.Name, string(pod.UID), container, nil, options, idleTimeout,
		remotecommand.DefaultStreamCreationTimeout, remotecommand.SupportedStreamingProtocols)
}

// executor lets remotecommand run a session.
type executor struct{ run session }

func (e executor) ExecInContainer(ctx context.Context, _, _, _ string, _ []string, in io.Reader, out, err io.WriteCloser, tty bool, resize <-chan remotecommand.TerminalSize, _ time.Duration) error {
	if resize != nil {
		go func() {
			for range resize { // nobody here minds how large the terminal is
			}
		}()
	}
	streams := Streams{Stdout: io.Discard, TTY: tty}
	if in != nil {
		streams.Stdin = in
	}
	if out != nil {
		streams.Stdout = out
	}
	if err != nil {
		streams.Stderr = err
	}
	code, fault := e.run(ctx, streams)
	if fault == nil && code != 0 {
		fault = utilexec.CodeExitError{Err: fmt.Errorf("command terminated with exit code %d", code), Code: code}
	}
	return fault
}

// run answers POST /run/NAMESPACE/POD/CONTAINER?cmd=… with the command's output.
func (s *Server) run(w http.ResponseWriter, r *http.Request, pod *corev1.Pod) {
	command := r.URL.Query()["cmd"]
	if len(command) == 0 || !s.Host.Running(pod, r.PathValue("container")) {
		http.Error(w, fmt.Sprintf("container not found (%q)", r.PathValue("container")), http.StatusInternalServerError)
		return
	}
	out := &bounded{w: w, left: maxRun}
	code, err := s.Host.Exec(r.Context(), pod, r.PathValue("container"), command, Streams{Stdout: out, Stderr: out})
	switch {
	case err != nil:
		fmt.Fprintln(out, err)
	case code != 0:
		fmt.Fprintf(out, "command terminated with exit code %d\n", code)
	}
}

var errTooLong = errors.New("the output is too long")

// bounded lets a number of bytes through, and no more.
type bounded struct {
	w    io.Writer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errTooLong
	}
	return b.w.Write(p)
}
