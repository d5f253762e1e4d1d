package cluster

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"coracle/apiserver"
)

// coalescedPipe is a connection that lies in memory, whose other end reads when the test does.
func coalescedPipe(t *testing.T) (conn net.Conn, client net.Conn, l *coalescing) {
	server, client := net.Pipe()
	l = coalesce(newPipes(server))
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return conn, client, l
}

// pipes listens for connections inside a test.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes(conns ...net.Conn) *pipes {
	p := &pipes{conns: make(chan net.Conn, len(conns)), closed: make(chan struct{})}
	for _, c := range conns {
		p.conns <- c
	}
	return p
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// say writes, and then spoils what it gave.
func say(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	b := []byte(text)
	if n, err := conn.Write(b); n != len(b) || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	clear(b)
}

func TestCoalesce_OneReadGetsWhatWasWrittenMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, client, _ := coalescedPipe(t)
		say(t, conn, "headers ")
		synctest.Wait() // that is on its way
		say(t, conn, "data ")
		say(t, conn, "end")
		b := make([]byte, 100)
		var got []string
		for range 2 {
			n, err := client.Read(b)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(b[:n]))
		}
		if diff := cmp.Diff([]string{"headers ", "data end"}, got); diff != "" {
			t.Error(diff)
		}
		conn.Close()
	})
}

func TestCoalesce_KeepsOrder(t *testing.T) {
	conn, client, _ := coalescedPipe(t)
	var want []byte
	for i := range 300 {
		want = append(want, bytes.Repeat([]byte{byte(i)}, i*37%9000)...)
	}
	go func() {
		defer conn.Close()
		for left := want; len(left) > 0; {
			n := min(len(left), 1+len(left)%5000)
			b := bytes.Clone(left[:n])
			if _, err := conn.Write(b); err != nil {
				t.Error(err)
			}
			clear(b)
			left = left[n:]
		}
	}()
	got, err := io.ReadAll(client)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d, %v", len(got), len(want), err)
	}
}

// Memory for whoever does not read is bounded, and so is how long is waited for them.
func TestAttack_ClientThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, client, _ := coalescedPipe(t)
		conn.SetWriteDeadline(time.Now().Add(time.Minute))
		begun := time.Now()
		kept := 0
		for {
			n, err := conn.Write(make([]byte, 1000))
			if kept += n; err == nil {
				continue
			}
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
			break
		}
		if took := time.Since(begun); took != time.Minute {
			t.Errorf("waited %v", took)
		}
		if kept > maxUnsent+1000 {
			t.Errorf("%d bytes are kept", kept)
		}
		// Time again, and somebody who reads a little.
		conn.SetWriteDeadline(time.Now().Add(time.Minute))
		done := make(chan error)
		go func() {
			_, err := conn.Write(make([]byte, 1000))
			done <- err
		}()
		synctest.Wait()
		if _, err := io.CopyN(io.Discard, client, maxPiece); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Errorf("with room again: %v", err)
		}
		conn.Close()
	})
}

func TestCoalesce_Close(t *testing.T) {
	for name, c := range map[string]struct {
		reads bool
		want  string
		took  time.Duration
	}{
		"what was written is sent":     {reads: true, want: "farewell"},
		"not to whoever does not read": {took: lingering},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn, client, l := coalescedPipe(t)
				say(t, conn, "fare")
				synctest.Wait()
				say(t, conn, "well")
				for range 2 { // net/http does, after it has refused what is no TLS
					if err := conn.Close(); err != nil {
						t.Error(err)
					}
				}
				if _, err := conn.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
					t.Errorf("a write afterwards: %v", err)
				}
				if _, err := conn.Read(make([]byte, 1)); err == nil {
					t.Error("a read afterwards succeeds")
				}
				begun := time.Now()
				var got []byte
				if c.reads {
					var err error
					if got, err = io.ReadAll(client); err != nil {
						t.Error(err)
					}
				}
				l.wait(t.Context())
				if took := time.Since(begun); string(got) != c.want || took != c.took {
					t.Errorf("%q after %v", got, took)
				}
			})
		})
	}
}

// A client that reads a little each time gets all of an answer whose connection is closed behind it.
func TestCoalesce_CloseWaitsForASlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, client, l := coalescedPipe(t)
		answer := strings.Repeat("x", maxUnsent) + "end"
		for left := answer; len(left) > 0; left = left[min(len(left), 5000):] {
			say(t, conn, left[:min(len(left), 5000)])
		}
		conn.Close()
		var got []byte
		for b := make([]byte, 8<<10); ; time.Sleep(lingering / 5) {
			n, err := client.Read(b)
			got = append(got, b[:n]...)
			if err != nil {
				break
			}
		}
		if string(got) != answer {
			t.Errorf("it got %d bytes of %d", len(got), len(answer))
		}
		l.wait(t.Context())
	})
}

func TestCoalesce_TellsOfFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, client, l := coalescedPipe(t)
		client.Close()
		say(t, conn, "lost") // as with any socket
		l.wait(t.Context())
		if _, err := conn.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("the next write: %v", err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestCoalesce_WaitsNoLongerThanAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, _, l := coalescedPipe(t)
		say(t, conn, "to nobody")
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		begun := time.Now()
		l.wait(ctx)
		if took := time.Since(begun); took != time.Millisecond {
			t.Errorf("waited %v", took)
		}
		conn.Close()
	})
}

// deaf is a connection from which nothing is read any longer once ears are closed.
type deaf struct {
	net.Conn
	ears, ends chan struct{}
}

func (d deaf) Read(b []byte) (int, error) {
	select {
	case <-d.ears:
		<-d.ends
	default:
	}
	return d.Conn.Read(b)
}

// With what the server is told about clients that read nothing, their requests end over gathered writes as well.
func TestAttack_ClientThatDoesNotReadOverHTTP2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := net.Pipe()
		took := make(chan time.Duration, 1)
		s := &http.Server{Protocols: new(http.Protocols), HTTP2: apiserver.HTTP2(), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).Flush()
			time.Sleep(time.Second)
			begun := time.Now()
			for {
				if _, err := w.Write(make([]byte, 1000)); err != nil {
					took <- time.Since(begun)
					return
				}
				http.NewResponseController(w).Flush()
			}
		})}
		s.Protocols.SetUnencryptedHTTP2(true)
		go s.Serve(coalesce(newPipes(server)))
		ears, ends := make(chan struct{}), make(chan struct{})
		transport := &http.Transport{Protocols: s.Protocols, DialContext: func(context.Context, string, string) (net.Conn, error) {
			return deaf{client, ears, ends}, nil
		}}
		answer, err := (&http.Client{Transport: transport}).Get("http://h/")
		if err != nil {
			t.Fatal(err)
		}
		close(ears)
		if took := <-took; took < 10*time.Second || took > 3*time.Minute {
			t.Errorf("it ends after %v", took)
		}
		client.Close()
		close(ends)
		answer.Body.Close()
		transport.CloseIdleConnections()
		s.Close()
	})
}
