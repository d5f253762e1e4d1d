package server

import (
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// ended is one side of a connection, and may be ended by halves.
type ended struct {
	io.Reader
	*io.PipeWriter
	in *io.PipeReader
}

func (e *ended) CloseWrite() error { return e.PipeWriter.Close() }
func (e *ended) Close() error {
	e.in.Close()
	return e.PipeWriter.Close()
}

func halves() (a, b *ended) {
	toA, fromB := io.Pipe()
	toB, fromA := io.Pipe()
	return &ended{toA, fromA, toA}, &ended{toB, fromB, toB}
}

func TestSplice(t *testing.T) {
	t.Run("who has said all gets the whole answer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client, near := halves()
			far, pod := halves()
			go splice(near, far)
			go func() {
				asked, _ := io.ReadAll(pod) // until the client has said all
				time.Sleep(time.Hour)
				fmt.Fprintf(pod, "you said %s", asked)
				pod.Close()
			}()
			io.WriteString(client, "hello")
			client.CloseWrite()
			if got, err := io.ReadAll(client); string(got) != "you said hello" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		})
	})
	t.Run("a pod that has said all is told the rest, for a moment", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client, near := halves()
			far, pod := halves()
			done := make(chan struct{})
			go func() { splice(near, far); close(done) }()
			pod.CloseWrite()
			begun := time.Now()
			go io.WriteString(client, "and")
			rest := make([]byte, 3)
			if _, err := io.ReadFull(pod, rest); err != nil || string(rest) != "and" {
				t.Errorf("%q, %v", rest, err)
			}
			<-done
			if took := time.Since(begun); took != lastWords {
				t.Errorf("it ends after %s, want %s", took, lastWords)
			}
		})
	})
	t.Run("a side that cannot end by halves ends with the client", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client, near := net.Pipe()
			far, pod := net.Pipe()
			done := make(chan struct{})
			go func() { splice(near, far); close(done) }()
			client.Close()
			<-done
			if _, err := pod.Read(make([]byte, 1)); err == nil {
				t.Error("the pod's side is open still")
			}
		})
	})
}
