package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// While it runs the store does not write down which pages are free: that list grows with all that was ever forgotten, and every
// commit would write it anew. It is written when the store is closed. After an end by a signal bbolt finds the free pages by
// walking through all others, and believes what they say; so we walk first, and believe nothing.
const noFreelist = ^uint64(0)

// Source: go.etcd.io/bbolt/internal/common (page.go, inode.go, bucket.go).
const (
	branchPage    = 0x01
	leafPage      = 0x02
	elementLength = 16
	bucketElement = 0x01
	bucketHeader  = 16
	maxPageDepth  = 64
	maxOverflow   = 1 << 16 // pages: no value has more than a few MiB
)

// walk tells what is wrong with the pages that can be reached, nil for nothing.
type walk struct {
	file io.ReaderAt
	meta meta
	seen []bool // by page
}

func (w *walk) all() error {
	w.seen = make([]bool, w.meta.pages)
	return w.page(w.meta.root, span{}, 0)
}

// span is where the keys of a page are: from first on, and before end. nil is no bound.
type span struct{ first, end []byte }

// page walks through a page and all that it leads to. bbolt looks for the same faults, and ends the process over some.
func (w *walk) page(id uint64, keys span, depth int) error {
	broken := func(why string) error { return fmt.Errorf("page %d %s", id, why) }
	if id < 2 || id >= uint64(w.meta.pages) {
		return broken("is named, and there is none of this number")
	}
	if depth > maxPageDepth {
		return broken("is deeper than any tree")
	}
	b := make([]byte, w.meta.pageSize)
	if _, err := w.file.ReadAt(b, int64(id)*w.meta.pageSize); err != nil {
		return broken("cannot be read: " + err.Error())
	}
	kind, count := binary.NativeEndian.Uint16(b[8:]), int(binary.NativeEndian.Uint16(b[10:]))
	overflow := uint64(binary.NativeEndian.Uint32(b[12:]))
	switch {
	case binary.NativeEndian.Uint64(b) != id:
		return broken("calls itself by another number")
	case kind != branchPage && kind != leafPage:
		return broken("is neither a branch nor a leaf")
	case overflow > maxOverflow || id+overflow >= uint64(w.meta.pages):
		return broken("goes on behind the end")
	}
	for i := id; i <= id+overflow; i++ {
		if w.seen[i] {
			return broken("is reached twice")
		}
		w.seen[i] = true
	}
	if overflow > 0 {
		b = make([]byte, w.meta.pageSize*int64(overflow+1))
		if _, err := w.file.ReadAt(b, int64(id)*w.meta.pageSize); err != nil {
			return broken("cannot be read: " + err.Error())
		}
	}
	below, err := children(b, kind, count, keys)
	if err != nil {
		return broken(err.Error())
	}
	for _, c := range below {
		if err := w.page(c.page, c.keys, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// child is a page that another names.
type child struct {
	page uint64
	keys span
}

// children are the pages that a page names, among them the roots of buckets.
func children(b []byte, kind uint16, count int, keys span) (below []child, err error) {
	if pageHeader+count*elementLength > len(b) {
		return nil, errors.New("has more elements than room")
	}
	if kind == branchPage && count == 0 {
		return nil, errors.New("leads nowhere")
	}
	var last []byte
	follows := func(key []byte) bool {
		ok := (last == nil || bytes.Compare(last, key) < 0) && bytes.Compare(keys.first, key) <= 0 && (keys.end == nil || bytes.Compare(key, keys.end) < 0)
		last = key
		return ok
	}
	for i := range count {
		at := pageHeader + i*elementLength
		e := b[at : at+elementLength]
		if kind == branchPage {
			begin, length := uint64(at)+uint64(binary.NativeEndian.Uint32(e)), uint64(binary.NativeEndian.Uint32(e[4:]))
			if begin+length > uint64(len(b)) {
				return nil, errors.New("has a key outside itself")
			}
			key := b[begin : begin+length]
			if !follows(key) {
				return nil, errors.New("has a key out of order")
			}
			if i > 0 {
				below[i-1].keys.end = key
			}
			below = append(below, child{binary.NativeEndian.Uint64(e[8:]), span{key, keys.end}})
			continue
		}
		flags, key := binary.NativeEndian.Uint32(e), uint64(at)+uint64(binary.NativeEndian.Uint32(e[4:]))
		begin, value := key+uint64(binary.NativeEndian.Uint32(e[8:])), uint64(binary.NativeEndian.Uint32(e[12:]))
		if begin+value > uint64(len(b)) {
			return nil, errors.New("has a value outside itself")
		}
		if !follows(b[key:begin]) {
			return nil, errors.New("has a key out of order")
		}
		if flags&bucketElement == 0 {
			continue
		}
		if value < bucketHeader {
			return nil, errors.New("has half a bucket")
		}
		root := binary.NativeEndian.Uint64(b[begin:])
		if root != 0 {
			below = append(below, child{page: root})
			continue
		}
		// A small bucket is a page within the value. Of ours none has buckets in it.
		inline := b[begin+bucketHeader : begin+value]
		if len(inline) < pageHeader || binary.NativeEndian.Uint16(inline[8:]) != leafPage {
			return nil, errors.New("has a bucket in it that is none")
		}
		if deeper, err := children(inline, leafPage, int(binary.NativeEndian.Uint16(inline[10:])), span{}); err != nil || len(deeper) > 0 {
			return nil, errors.New("has a broken bucket in it")
		}
	}
	return below, nil
}
