package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// The beginning of a bbolt file: two meta pages, of which the newer valid one counts. bbolt maps the file into memory
// and believes it; a file that is cut short would end the process by a signal. So its length is checked before.
// Source: go.etcd.io/bbolt/internal/common (page.go, meta.go).
const (
	boltMagic    = 0xED0CDAED
	pageHeader   = 16
	metaLength   = 64
	metaChecksum = 56 // offset of the checksum, which covers what is before it
	smallestPage = 1 << 10
	largestPage  = 1 << 20
)

// precheck tells whether a file can be given to bbolt, and whether it was closed. One that is missing or empty can be given: it is
// begun anew.
func precheck(path string) (closed bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() {
		return false, errors.New("it is no regular file")
	}
	if info.Size() == 0 {
		return true, nil
	}
	m, err := newestMeta(f)
	if err != nil {
		return false, err
	}
	if needed := m.pages * m.pageSize; info.Size() < needed {
		return false, fmt.Errorf("it has %d bytes, and should have at least %d", info.Size(), needed)
	}
	return m.freelist != noFreelist, nil
}

// newestMeta is the meta page that counts. Where the second one is says the first; if that is broken it is looked for, as bbolt does.
func newestMeta(f io.ReaderAt) (newest meta, err error) {
	first, err := metaAt(f, 0)
	if err != nil {
		return meta{}, err
	}
	sizes := []int64{first.pageSize}
	if first.pages == 0 {
		sizes = sizes[:0]
		for size := int64(smallestPage); size <= largestPage; size *= 2 {
			sizes = append(sizes, size)
		}
	}
	newest = first
	for _, size := range sizes {
		second, err := metaAt(f, size)
		if err != nil {
			return meta{}, err
		}
		if second.transaction >= newest.transaction && second.pageSize == size {
			newest = second
		}
	}
	if newest.pages == 0 {
		return meta{}, errors.New("it does not begin as a database does")
	}
	return newest, nil
}

// metaAt is the meta of the page that begins at an offset, or one with nothing in it.
func metaAt(f io.ReaderAt, offset int64) (meta, error) {
	b := make([]byte, metaLength)
	if _, err := f.ReadAt(b, offset+pageHeader); err != nil && !errors.Is(err, io.EOF) {
		return meta{}, err
	}
	return readMeta(b), nil
}

type meta struct {
	pageSize    int64
	root        uint64 // page of the topmost bucket
	freelist    uint64 // page of the list, or noFreelist
	pages       int64
	transaction uint64
}

// readMeta reads a meta, and returns one with nothing in it if that is none.
func readMeta(b []byte) meta {
	if len(b) < metaLength || binary.NativeEndian.Uint32(b) != boltMagic {
		return meta{}
	}
	h := fnv.New64a()
	h.Write(b[:metaChecksum])
	if h.Sum64() != binary.NativeEndian.Uint64(b[metaChecksum:]) {
		return meta{}
	}
	m := meta{
		pageSize:    int64(binary.NativeEndian.Uint32(b[8:])),
		root:        binary.NativeEndian.Uint64(b[16:]),
		freelist:    binary.NativeEndian.Uint64(b[32:]),
		pages:       int64(binary.NativeEndian.Uint64(b[40:])),
		transaction: binary.NativeEndian.Uint64(b[48:]),
	}
	if m.pageSize < smallestPage || m.pageSize > largestPage || m.pages <= 0 || m.pages >= 1<<40 {
		return meta{}
	}
	return m
}
