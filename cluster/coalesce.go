package cluster

import (
	"context"
	"net"
	"os"
	"sync"
	"time"
)

// coalescing accepts connections that gather what is written to them while it waits for its turn to be sent. net/http sends an
// answer over HTTP/2 in three writes (headers, data, end), each of them a system call and a packet; gathered it is mostly one, and
// what goes to the same client at the same time is in it as well.
//
// A write has succeeded when it is in memory, as with any socket, whose own memory this only adds to: what cannot be sent is told of by
// a later write. What was written is sent though the connection is closed, as long as the client reads.
type coalescing struct {
	net.Listener
	buffers sync.Pool // of *[]byte: a connection that sends nothing has none

	mu     sync.Mutex
	drains int // goroutines that send
	idle   sync.Cond
}

func coalesce(l net.Listener) *coalescing {
	c := &coalescing{Listener: l}
	c.idle.L = &c.mu
	return c
}

const (
	// maxUnsent bounds in bytes what waits for a client that is slow to read; a write may go beyond it by its own length.
	maxUnsent = 64 << 10
	// maxPiece is how many bytes are sent at a time: who is slow shows with each that there is progress.
	maxPiece = 32 << 10
	// maxKeptBuffer is up to which size a buffer is used again.
	maxKeptBuffer = 128 << 10
	// lingering is how long the client of a connection that was closed may take to read a piece more of what was written to it.
	lingering = 30 * time.Second
)

func (l *coalescing) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &coalesced{Conn: conn, listener: l}
	c.changed.L = &c.mu
	return c, nil
}

// wait returns when all is sent that was written to connections that are closed, or when ctx ends.
func (l *coalescing) wait(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.idle.Broadcast()
	})()
	for l.drains > 0 && ctx.Err() == nil {
		l.idle.Wait()
	}
}

func (l *coalescing) count(drains int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.drains += drains; l.drains == 0 {
		l.idle.Broadcast()
	}
}

// coalesced is one of the connections.
type coalesced struct {
	net.Conn
	listener *coalescing

	mu       sync.Mutex
	changed  sync.Cond // any of what follows
	waiting  *[]byte   // what nobody sends yet, nil for nothing
	sending  int       // how many bytes are on their way out
	draining bool      // a goroutine sends, or is about to
	deadline time.Time // of writes
	closed   bool
	err      error // of sending
}

// Write keeps a copy of p to be sent. It waits while too much has gathered.
func (c *coalesced) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.room(); err != nil {
		return 0, err
	}
	if c.waiting == nil {
		c.waiting, _ = c.listener.buffers.Get().(*[]byte)
		if c.waiting == nil {
			c.waiting = new([]byte)
		}
	}
	*c.waiting = append(*c.waiting, p...)
	if !c.draining {
		c.draining = true
		c.listener.count(1)
		go c.drain()
	}
	return len(p), nil
}

// room waits until more can be kept.
func (c *coalesced) room() error {
	for {
		switch {
		case c.closed:
			return net.ErrClosed
		case c.err != nil:
			return c.err
		case !c.deadline.IsZero() && !time.Now().Before(c.deadline):
			return os.ErrDeadlineExceeded
		case c.unsent() < maxUnsent:
			return nil
		case c.deadline.IsZero():
			c.changed.Wait()
		default:
			over := time.AfterFunc(time.Until(c.deadline), func() {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.changed.Broadcast()
			})
			c.changed.Wait()
			over.Stop()
		}
	}
}

func (c *coalesced) unsent() int {
	if c.waiting == nil {
		return c.sending
	}
	return c.sending + len(*c.waiting)
}

// drain sends until there is nothing left to send.
func (c *coalesced) drain() {
	defer c.listener.count(-1)
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.waiting != nil && c.err == nil {
		buffer := c.waiting
		c.waiting = nil
		for left := *buffer; len(left) > 0 && c.err == nil; c.changed.Broadcast() {
			c.sending = len(left)
			piece := left[:min(len(left), maxPiece)]
			if c.closed {
				c.linger()
			}
			c.mu.Unlock()
			_, err := c.Conn.Write(piece)
			c.mu.Lock()
			c.err = err
			left = left[len(piece):]
		}
		c.sending = 0
		if cap(*buffer) <= maxKeptBuffer {
			*buffer = (*buffer)[:0]
			c.listener.buffers.Put(buffer)
		}
	}
	c.waiting, c.draining = nil, false
	if c.closed {
		c.Conn.Close()
	}
}

// Close ends reads at once, and the connection when what was written is sent.
func (c *coalesced) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.draining {
		c.closed = true
		return c.Conn.Close()
	}
	if !c.closed {
		c.closed = true
		c.changed.Broadcast()
		c.Conn.SetReadDeadline(time.Unix(1, 0)) // long over
		c.linger()
	}
	return nil
}

func (c *coalesced) linger() { c.Conn.SetWriteDeadline(time.Now().Add(lingering)) }

func (c *coalesced) SetDeadline(t time.Time) error {
	c.SetWriteDeadline(t)
	return c.Conn.SetReadDeadline(t)
}

// SetWriteDeadline bounds how long writes wait.
func (c *coalesced) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	c.changed.Broadcast()
	return nil
}
