package e2e

import (
	"fmt"
	"io"
	"net/http"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// TestStop_EndsWatches stops a server that is being watched by many, as Ctrl-C does. Each watch ends as one that has
// come to its end, not as a connection that broke; the process ends by itself, and leaves the directory to the next.
func TestStop_EndsWatches(t *testing.T) {
	s := newServer(t)
	if err := s.up("--nodes=0"); err != nil {
		t.Fatal(err)
	}
	client, err := rest.HTTPClientFor(s.client(t))
	if err != nil {
		t.Fatal(err)
	}
	const watches = 100
	ends := make(chan error, watches)
	for range watches {
		answer, err := client.Get(s.url + "/api/v1/pods?watch=true")
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("a watch answers %s", answer.Status)
		}
		go func() {
			defer answer.Body.Close()
			_, err := io.Copy(io.Discard, answer.Body)
			ends <- err
		}()
	}
	if err := s.stop(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for range watches {
		select {
		case err := <-ends:
			if err != nil {
				t.Fatalf("a watch broke: %v", err)
			}
		case <-time.After(patience):
			t.Fatal("a watch goes on after Ctrl-C")
		}
	}
	if err := s.up("--nodes=0"); err != nil {
		t.Error(fmt.Errorf("starting again: %w", err))
	}
}
