package apiserver

import (
	"compress/gzip"
	"io"
	"sync"
)

// packer compresses a stream. Each flush ends a member of the gzip file, so that a stream on which nothing happens holds no compressor,
// which is large.
// Source: perFlushGzipWriter in k8s.io/apiserver/pkg/endpoints/handlers/watch.go.
type packer struct {
	w    io.Writer
	pool *sync.Pool // of *gzip.Writer
	z    *gzip.Writer
}

func (p *packer) Write(b []byte) (int, error) {
	if p.z == nil {
		p.z = p.pool.Get().(*gzip.Writer)
		p.z.Reset(p.w)
	}
	return p.z.Write(b)
}

// flush sends all that was written, and its end after it: a reader has what it needs before it looks for what comes next.
func (p *packer) flush() error {
	if p.z == nil {
		return nil
	}
	defer p.release()
	if err := p.z.Flush(); err != nil {
		return err
	}
	return p.z.Close()
}

// release gives the compressor back.
func (p *packer) release() {
	if p.z != nil {
		p.z.Reset(io.Discard)
		p.pool.Put(p.z)
		p.z = nil
	}
}
