package kubeletsim

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func TestDuplex(t *testing.T) {
	a, b := duplex()
	go func() {
		io.WriteString(a, "hello")
		a.CloseWrite()
	}()
	if got, err := io.ReadAll(b); string(got) != "hello" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	go io.WriteString(b, "there")
	answer := make([]byte, 5)
	if _, err := io.ReadFull(a, answer); err != nil || string(answer) != "there" {
		t.Errorf("%q, %v, after its own half has ended", answer, err)
	}
	if err := a.SetReadDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Read(answer); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v, want a deadline", err)
	}
	a.Close()
	if _, err := b.Write([]byte("x")); err == nil {
		t.Error("who is gone is written to")
	}
}

// A client that ends its half of the connection after its question gets an answer.
func TestIntroduce_AnswersWhoHasSaidAll(t *testing.T) {
	client, served := duplex()
	pod := &corev1.Pod{}
	pod.Name = "web"
	done := make(chan struct{})
	go func() { introduce(served, pod, "web"); close(done) }()
	io.WriteString(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	client.CloseWrite()
	answer, err := io.ReadAll(client)
	if err != nil || len(answer) == 0 {
		t.Errorf("%q, %v", answer, err)
	}
	<-done
}
