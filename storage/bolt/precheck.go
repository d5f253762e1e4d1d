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

// newestMeta is the meta page that counts.
func newestMeta(f io.ReaderAt) (newest meta, err error) {
	for page, size := int64(0), int64(os.Getpagesize()); page < 2; page++ {
		b := make([]byte, metaLength)
		if _, err := f.ReadAt(b, page*size+pageHeader); err != nil && !errors.Is(err, io.EOF) {
			return meta{}, err
		}
		m, ok := readMeta(b)
		if !ok {
			continue
		}
		if m.transaction >= newest.transaction {
			newest = m
		}
		size = m.pageSize
	}
	if newest.pages == 0 {
		return meta{}, errors.New("it does not begin as a database does")
	}
	return newest, nil
}

type meta struct {
	pageSize    int64
	root        uint64 // page of the topmost bucket
	freelist    uint64 // page of the list, or noFreelist
	pages       int64
	transaction uint64
}

func readMeta(b []byte) (meta, bool) {
	if len(b) < metaLength || binary.NativeEndian.Uint32(b) != boltMagic {
		return meta{}, false
	}
	h := fnv.New64a()
	h.Write(b[:metaChecksum])
	if h.Sum64() != binary.NativeEndian.Uint64(b[metaChecksum:]) {
		return meta{}, false
	}
	m := meta{
		pageSize:    int64(binary.NativeEndian.Uint32(b[8:])),
		root:        binary.NativeEndian.Uint64(b[16:]),
		freelist:    binary.NativeEndian.Uint64(b[32:]),
		pages:       int64(binary.NativeEndian.Uint64(b[40:])),
		transaction: binary.NativeEndian.Uint64(b[48:]),
	}
	return m, m.pageSize >= 512 && m.pageSize <= 1<<20 && m.pages > 0 && m.pages < 1<<40
}
