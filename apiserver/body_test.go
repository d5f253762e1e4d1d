package apiserver

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/authentication/user"
)

// reading is a call whose body is read.
func reading(s *Server, body io.Reader) *call {
	r := httptest.NewRequest(http.MethodPost, "/", body)
	ctx, cancel := context.WithTimeout(r.Context(), writeTimeout)
	context.AfterFunc(ctx, cancel)
	return &call{Server: s, w: httptest.NewRecorder(), r: r.WithContext(ctx)}
}

// Each takes many times its size in memory while it is worked on, and anybody may send hundreds.
func TestAttack_LargeBodiesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Config: Config{MaxBody: defaultMaxBody}, largeBodies: make(chan struct{}, largeBodies)}
		large := bytes.Repeat([]byte("x"), smallBody+1)
		var first []*call
		for range largeBodies {
			c := reading(s, bytes.NewReader(large))
			if b, err := c.receive(); err != nil || len(b.Bytes) != len(large) {
				t.Fatalf("read %d bytes: %v", len(b.Bytes), err)
			}
			first = append(first, c)
		}
		if _, err := reading(s, strings.NewReader("small")).receive(); err != nil {
			t.Errorf("a small one: %v", err)
		}
		next := reading(s, bytes.NewReader(large))
		read := make(chan error, 1)
		go func() {
			_, err := next.receive()
			read <- err
		}()
		synctest.Wait()
		select {
		case err := <-read:
			t.Fatalf("one too many was read: %v", err)
		default:
		}
		first[0].leave()
		if err := <-read; err != nil {
			t.Errorf("after one has left: %v", err)
		}
		begun := time.Now()
		if _, err := reading(s, bytes.NewReader(large)).receive(); statusOf(err).Code != http.StatusGatewayTimeout || time.Since(begun) != writeTimeout {
			t.Errorf("one that never gets a place: %v after %s", err, time.Since(begun))
		}
		if _, err := reading(s, bytes.NewReader(make([]byte, smallBody))).receive(); err != nil {
			t.Errorf("as large as a small one may be: %v", err)
		}
		first[1].leave()
		next.leave()
		if _, err := reading(s, bytes.NewReader(make([]byte, defaultMaxBody+1))).receive(); !apierrors.IsRequestEntityTooLargeError(err) {
			t.Errorf("one that is too large: %v", err)
		}
	})
}

// served serves a connection that lies in memory, so that its times are those of the test.
func served(t *testing.T, handler http.HandlerFunc) net.Conn {
	client, server := net.Pipe()
	l := &pipes{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
	l.conns <- server
	s := &http.Server{Handler: handler}
	go s.Serve(l)
	t.Cleanup(func() {
		client.Close()
		s.Close()
	})
	return client
}

// receives reads a request's body, and tells how long that took.
func receives(took *time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		defer hurry(w, requestPatience)()
		c := &call{Server: &Server{Config: Config{MaxBody: defaultMaxBody}}, w: w, r: r}
		_, err := c.receive()
		*took = time.Since(begun)
		http.Error(w, "", int(statusOf(err).Code))
	}
}

// Whoever sends a byte now and then would keep one of the requests that are worked on, and with enough of them all.
func TestAttack_SlowSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var took time.Duration
		conn := served(t, receives(&took))
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			io.WriteString(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n")
			for {
				if _, err := conn.Write([]byte("x")); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != http.StatusGatewayTimeout || took != requestPatience {
			t.Errorf("%s after %s", answer.Status, took)
		}
		conn.Close()
		<-stopped
	})
}

func TestAttack_ClientThatReadsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan time.Duration)
		conn := served(t, func(w http.ResponseWriter, r *http.Request) {
			begun := time.Now()
			defer hurry(w, requestPatience)()
			for {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					ended <- time.Since(begun)
					return
				}
			}
		})
		go io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		if took := <-ended; took < requestPatience || took > 2*requestPatience {
			t.Errorf("it took %s", took)
		}
	})
}

// A request that is over must not end the next one on its connection.
func TestHurry_EndsWithTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := served(t, func(w http.ResponseWriter, _ *http.Request) {
			defer hurry(w, requestPatience)()
			io.WriteString(w, "done")
		})
		lines := bufio.NewReader(conn)
		for range 3 {
			go io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			answer, err := http.ReadResponse(lines, nil)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(answer.Body); string(b) != "done" || err != nil {
				t.Fatalf("%q, %v", b, err)
			}
			time.Sleep(requestPatience * 2 / 3)
		}
	})
}

// One user must not be able to shut out all others by sending slowly.
func TestAttack_NobodyTakesAllPlaces(t *testing.T) {
	s := newSlots(8)
	have := 0
	for range 20 {
		if s.take("mallory") {
			have++
		}
	}
	if have != 6 {
		t.Errorf("mallory has %d of 8", have)
	}
	for _, name := range []string{"alice", user.Anonymous} {
		if !s.take(name) {
			t.Errorf("there is no place for %s", name)
		}
	}
	if s.take("bob") {
		t.Error("there are more places than 8")
	}
	s.give("alice")
	if !s.take("bob") {
		t.Error("a place that was given back is not free")
	}
	for most, want := range map[int]int{1: 1, 2: 2, 3: 3, 4: 3, 200: 150, 400: 300} {
		s, have := newSlots(most), 0
		for s.take("mallory") {
			have++
		}
		if have != want {
			t.Errorf("of %d one has %d, want %d", most, have, want)
		}
	}
}
