package kubeletsim

import (
	"errors"
	"net"
	"time"
)

// half is one side of a connection inside of the process, of which each direction ends by itself, as TCP's do.
type half struct {
	net.Conn          // in: what the other side writes
	out      net.Conn // what the other side reads
}

// duplex makes a connection.
func duplex() (a, b *half) {
	toA, fromB := net.Pipe()
	toB, fromA := net.Pipe()
	return &half{toA, fromA}, &half{toB, fromB}
}

func (h *half) Write(p []byte) (int, error) { return h.out.Write(p) }

// CloseWrite ends this side's direction: the other side reads what is there, and then io.EOF.
func (h *half) CloseWrite() error { return h.out.Close() }

func (h *half) Close() error { return errors.Join(h.out.Close(), h.Conn.Close()) }

func (h *half) SetWriteDeadline(t time.Time) error { return h.out.SetWriteDeadline(t) }

func (h *half) SetDeadline(t time.Time) error {
	return errors.Join(h.Conn.SetReadDeadline(t), h.out.SetWriteDeadline(t))
}
