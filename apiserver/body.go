package apiserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"coracle/apiserver/wire"
)

const (
	// smallBody is up to which size in bytes a body is worked on at once.
	smallBody = 256 << 10
	// largeBodies is how many larger ones are worked on at the same time: some take a hundred times their size in memory.
	largeBodies = 2
	// largePatience is how long the rest of a large body may take to come, since others wait for its place.
	largePatience = 10 * time.Second
	// requestPatience is how long the body of a request may take to come, and its answer to be taken, where it is no watch and no stream.
	requestPatience = 60 * time.Second
)

// readBody reads the request's body. What has one is taken for a write that is on its way, until the request ends: the store makes
// those durable together that come together.
// Errors: 413 with upstream's sentence, 504 for a body that does not come.
func (c *call) readBody() (wire.Body, error) {
	body, err := c.receive()
	if err == nil && !c.writes {
		c.writes = true
		c.Registry.Expect(1)
	}
	return body, err
}

// receive waits for the body. A large one waits for its turn, which lasts until the request ends.
func (c *call) receive() (wire.Body, error) {
	b, err := readAll(io.LimitReader(c.r.Body, smallBody+1), c.r.ContentLength)
	if err == nil && len(b) > smallBody {
		select {
		case c.largeBodies <- struct{}{}:
			c.large = true
		case <-c.r.Context().Done():
			return wire.Body{}, c.r.Context().Err()
		}
		came := hurry(c.w, largePatience)
		var rest []byte
		rest, err = io.ReadAll(io.LimitReader(c.r.Body, c.MaxBody+1-int64(len(b))))
		came()
		b = append(b, rest...)
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return wire.Body{}, context.DeadlineExceeded
	case err != nil:
		return wire.Body{}, apierrors.NewBadRequest(strings.TrimSpace("the request body could not be read: " + err.Error()))
	case int64(len(b)) > c.MaxBody:
		return wire.Body{}, apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("limit is %d", c.MaxBody))
	}
	return wire.Body{Bytes: b, ContentType: c.r.Header.Get("Content-Type")}, nil
}

// firstRead bounds, in bytes, what is made ready for a body because its client says that it is so long.
const firstRead = 64 << 10

// readAll is io.ReadAll of what is announced to have a length, -1 for none.
func readAll(r io.Reader, length int64) ([]byte, error) {
	var b bytes.Buffer
	if length > 0 {
		b.Grow(int(min(length, firstRead)) + bytes.MinRead) // which it wants to have left at the end
	}
	_, err := b.ReadFrom(r)
	return b.Bytes(), err
}

// leave lets the next large body have its turn, and the store wait for this request no more.
func (c *call) leave() {
	if c.writes {
		c.Registry.Expect(-1)
	}
	if c.large {
		<-c.largeBodies
	}
}

// HTTP2 is how connections of HTTP/2 are served: one whose client reads nothing at all ends, with all that is to be sent on it.
func HTTP2() *http.HTTP2Config { return &http.HTTP2Config{WriteByteTimeout: requestPatience} }

// hurry ends what is waited for when the client takes longer than patience to send, and a little later to receive. stop ends that;
// it must be called before the request's handler returns. Connections inside the process know no such limits.
func hurry(w http.ResponseWriter, patience time.Duration) (stop func()) {
	const toAnswer = 5 * time.Second
	rc := http.NewResponseController(w)
	var mu sync.Mutex
	over := false
	timer := time.AfterFunc(patience, func() {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			rc.SetReadDeadline(time.Now())
			rc.SetWriteDeadline(time.Now().Add(toAnswer))
		}
	})
	return func() {
		if !timer.Stop() {
			mu.Lock()
			defer mu.Unlock()
			over = true
		}
	}
}
