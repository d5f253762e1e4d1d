package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// server is one `coracle up` on a data directory; it can be stopped and started again.
type server struct {
	coracle string
	dir     string // its data
	work    string // where it runs, "" for here
	url     string

	mu     sync.Mutex
	cmd    *exec.Cmd
	output transcript // of every run
	exited chan struct{}
}

// patience is how long anything that happens in milliseconds may take on a machine that is busy.
const patience = 30 * time.Second

func newServer(t testing.TB) *server {
	s := &server{coracle: tools(t).coracle, dir: filepath.Join(t.TempDir(), "data")}
	t.Cleanup(func() {
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *server) kubeconfig() string { return filepath.Join(s.dir, "kubeconfigs", "admin.conf") }

// up starts the server and returns when it is ready.
func (s *server) up(flags ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		return errors.New("the server is up already")
	}
	port := "0"
	if s.url != "" {
		port = s.url[len("https://127.0.0.1:"):] // where clients expect it
	}
	args := append([]string{"up", "--data-dir", s.dir, "--secure-port", port}, flags...)
	s.cmd, s.exited = exec.Command(s.coracle, args...), make(chan struct{})
	s.cmd.Dir = s.work
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func(cmd *exec.Cmd, exited chan struct{}) {
		cmd.Wait()
		close(exited)
	}(s.cmd, s.exited)
	return s.ready()
}

// ready waits for the kubeconfig, and then for /readyz: in that order, as scripts do.
func (s *server) ready() error {
	for begun := time.Now(); time.Since(begun) < patience; {
		select {
		case <-s.exited:
			s.cmd = nil
			return fmt.Errorf("the server ended: %s", s.output.String())
		case <-time.After(10 * time.Millisecond):
		}
		config, err := clientcmd.LoadFromFile(s.kubeconfig())
		if err != nil || len(config.Clusters) == 0 {
			continue
		}
		for _, c := range config.Clusters {
			s.url = c.Server
		}
		admin, err := clientcmd.NewDefaultClientConfig(*config, nil).ClientConfig()
		if err != nil {
			return err
		}
		client, err := rest.HTTPClientFor(admin)
		if err != nil {
			return err
		}
		client.Timeout = time.Second
		answer, err := client.Get(s.url + "/readyz")
		if err != nil {
			continue
		}
		answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return nil
		}
	}
	return fmt.Errorf("the server is not ready after %s; see what it is doing:\n%s", patience, s.stacks())
}

// down asks the server to stop and waits until it has.
func (s *server) down() error { return s.stop(syscall.SIGTERM) }

// stop sends a signal at which the server should end by itself, and waits until it has.
func (s *server) stop(signal os.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return errors.New("the server is not up")
	}
	s.cmd.Process.Signal(signal)
	select {
	case <-s.exited:
	case <-time.After(patience):
		return fmt.Errorf("the server does not stop; see what it is doing:\n%s", s.stacks())
	}
	code := s.cmd.ProcessState.ExitCode()
	s.cmd = nil
	if code != 0 {
		return fmt.Errorf("the server ended with exit code %d: %s", code, s.output.String())
	}
	return nil
}

// kill ends the server without warning.
func (s *server) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		s.cmd.Process.Kill()
		<-s.exited
		s.cmd = nil
	}
}

// end ends the server, and reports what must never be in its output, whatever was asked of it.
func (s *server) end() error {
	s.kill()
	for _, mishap := range []string{"DATA RACE", "panic", "fatal error"} {
		if strings.Contains(s.output.String(), mishap) {
			return fmt.Errorf("the server's output has %q:\n%s", mishap, s.output.String())
		}
	}
	return nil
}

// stacks ends the server by the signal at which Go prints every goroutine, and returns its output.
func (s *server) stacks() string {
	s.cmd.Process.Signal(syscall.SIGQUIT)
	<-s.exited
	s.cmd = nil
	return s.output.String()
}

// client is the administrator's configuration for client-go.
func (s *server) client(t testing.TB) *rest.Config {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	return config
}
