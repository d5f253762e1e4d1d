package apiserver

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// pipes are connections inside a test.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
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

// deaf is a connection that is not read any longer once somebody says so.
type deaf struct {
	net.Conn
	now  *atomic.Bool
	ends chan struct{}
}

func (d deaf) Read(b []byte) (int, error) {
	if d.now.Load() {
		<-d.ends
	}
	return d.Conn.Read(b)
}

// served2 serves requests of a client over HTTP/2, which hears nothing more after deafness is set.
func served2(t *testing.T, handler http.HandlerFunc) (client *http.Client, deafness *atomic.Bool) {
	p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	s := &http.Server{Handler: handler, Protocols: new(http.Protocols), HTTP2: HTTP2()}
	s.Protocols.SetUnencryptedHTTP2(true)
	go s.Serve(p)
	deafness = new(atomic.Bool)
	ends := make(chan struct{})
	var conns []net.Conn
	transport := &http.Transport{Protocols: s.Protocols, DialContext: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		conns = append(conns, near, far)
		p.conns <- far
		return deaf{near, deafness, ends}, nil
	}}
	t.Cleanup(func() {
		close(ends)
		for _, c := range conns {
			c.Close()
		}
		transport.CloseIdleConnections()
		s.Close()
	})
	return &http.Client{Transport: transport}, deafness
}

// drip gives a byte a second.
type drip struct{}

func (drip) Read(b []byte) (int, error) {
	time.Sleep(time.Second)
	b[0] = 'x'
	return 1, nil
}

func TestAttack_SlowSenderOverHTTP2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var took time.Duration
		client, _ := served2(t, receives(&took))
		answer, err := client.Post("http://h/", "application/json", drip{})
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusGatewayTimeout || took != requestPatience {
			t.Errorf("%s after %s", answer.Status, took)
		}
	})
}

// A client can leave one stream of many alone, or the whole connection.
func TestAttack_ClientThatReadsNothingOverHTTP2(t *testing.T) {
	for name, all := range map[string]bool{"of the stream": false, "of the connection": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ended := make(chan time.Duration, 1)
				client, deafness := served2(t, func(w http.ResponseWriter, r *http.Request) {
					begun := time.Now()
					defer hurry(w, requestPatience)()
					http.NewResponseController(w).Flush()
					time.Sleep(time.Second)
					for {
						if _, err := w.Write(make([]byte, 1<<20)); err != nil {
							ended <- time.Since(begun)
							return
						}
					}
				})
				answer, err := client.Get("http://h/")
				if err != nil {
					t.Fatal(err)
				}
				deafness.Store(all)
				if took := <-ended; took < requestPatience || took > 3*requestPatience { // the second waits for the first
					t.Errorf("it took %s", took)
				}
				if !all {
					answer.Body.Close()
				}
			})
		})
	}
}

// A watch may last for an hour, but not for one who takes nothing of it.
func TestAttack_WatcherThatReadsNothing(t *testing.T) {
	for _, proto := range []string{"HTTP/1.1", "HTTP/2"} {
		t.Run(proto, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := made(t)
				for _, name := range strings.Split("abcdefghij", "") {
					body := `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"` + name + `"},"data":{"a":"` + strings.Repeat("x", 900<<10) + `"}}`
					if w := send(t, s, "POST /api/v1/namespaces/blue/configmaps", body, ""); w.Code != http.StatusCreated {
						t.Fatal(w.Body)
					}
				}
				ended := make(chan time.Duration, 1)
				handler := func(w http.ResponseWriter, r *http.Request) {
					begun := time.Now()
					s.ServeHTTP(w, r)
					ended <- time.Since(begun)
				}
				const path = "/api/v1/namespaces/blue/configmaps?watch=1&timeoutSeconds=100000"
				if proto == "HTTP/2" {
					client, _ := served2(t, handler)
					answer, err := client.Get("http://h" + path)
					if err != nil {
						t.Fatal(err)
					}
					defer answer.Body.Close()
				} else {
					io.WriteString(served(t, handler), "GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n")
				}
				if took := <-ended; took > 2*requestPatience {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}
