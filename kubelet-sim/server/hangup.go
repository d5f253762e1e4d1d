package server

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
)

// untilHangUp gives a stream a context that ends when its client goes. net/http sees to that only as long as the connection is its own;
// without it, whatever somebody ran and left would run on.
func untilHangUp(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request, context.CancelFunc) {
	ctx, cancel := context.WithCancel(r.Context())
	return &listening{w, cancel}, r.WithContext(ctx), cancel
}

// listening is an answer whose connection, once it is handed over, tells when its other side is gone.
type listening struct {
	http.ResponseWriter
	gone context.CancelFunc
}

// Hijack implements http.Hijacker.
func (l *listening) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(l.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	ahead, err := buffered.Reader.Peek(buffered.Reader.Buffered())
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	heard := &line{conn, l.gone}
	reader := bufio.NewReader(io.MultiReader(bytes.NewReader(bytes.Clone(ahead)), heard))
	return heard, bufio.NewReadWriter(reader, bufio.NewWriter(heard)), nil
}

// line is a connection from which somebody always reads, and which whoever reads a last message from it closes.
type line struct {
	net.Conn
	gone context.CancelFunc
}

func (l *line) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if err != nil {
		l.gone()
	}
	return n, err
}

func (l *line) Close() error {
	l.gone()
	return l.Conn.Close()
}
