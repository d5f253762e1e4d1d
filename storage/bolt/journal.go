package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"coracle/storage"
)

// journal is the file beside the database in which a batch of writes is made durable: one write and one fsync, where a commit of
// bbolt rewrites pages up to the root and needs two. What it holds goes on to the database by the hundred (see checkpoint), and
// the file is then written anew from its beginning. A store that was closed has none.
//
// File: a header (magic, the database's id), then frames. A frame is a batch:
//
//	id of the database        8 bytes, random: nobody's value can look like the beginning of a frame
//	checksum                  4 bytes, CRC-32C of all that follows
//	length of the records     4 bytes
//	revision of the first     8 bytes
//	records                   each its length (uvarint), then as in the log (see record)
//
// Integers are little endian. Behind the last frame stand remains of earlier ones, whose revisions are lower.
type journal struct {
	path   string
	id     [idLength]byte
	noSync bool

	file    *os.File // nil before the first write
	image   []byte   // what the file holds from its beginning on, and what is still to be written
	written int      // how much of it the file holds
}

const (
	journalMagic  = "coracle journal\n"
	idLength      = 8
	journalHeader = len(journalMagic) + idLength
	frameHeader   = idLength + 4 + 4 + 8

	// maxJournal bounds what is read at a start: many times what is ever written.
	maxJournal = 256 << 20
	// keptImage is how much memory is kept for the next batch while nothing is written.
	keptImage = 64 << 10
)

func journalPath(database string) string { return database + ".journal" }

// add appends a record to the batch in the making, and returns where in the image it stands.
func (j *journal) add(r record) (from, to int) {
	length := r.size()
	j.image = binary.AppendUvarint(j.image, uint64(length))
	from = len(j.image)
	j.image = r.append(j.image)
	return from, len(j.image)
}

// begin starts a batch, whose first record gets a revision, and returns where in the image it stands.
func (j *journal) begin(first int64) (begun int) {
	if len(j.image) == 0 {
		j.image = append(append(j.image, journalMagic...), j.id[:]...)
	}
	begun = len(j.image)
	j.image = append(j.image, j.id[:]...)
	j.image = append(j.image, make([]byte, 8)...)
	j.image = binary.LittleEndian.AppendUint64(j.image, uint64(first))
	return begun
}

// write makes the batch that began at an offset of the image durable.
func (j *journal) write(begun int) error {
	frame := j.image[begun:]
	binary.LittleEndian.PutUint32(frame[idLength+4:], uint32(len(frame)-frameHeader))
	binary.LittleEndian.PutUint32(frame[idLength:], checksum(frame))
	if j.file == nil {
		f, err := os.OpenFile(j.path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		if err := j.syncDirectory(); err != nil {
			f.Close()
			return err
		}
		j.file = f
	}
	if _, err := j.file.WriteAt(j.image[j.written:], int64(j.written)); err != nil {
		return err
	}
	if !j.noSync {
		if err := syncData(j.file); err != nil {
			return err
		}
	}
	j.written = len(j.image)
	return nil
}

// rollback forgets a batch that could not be written, in the file too: of what is there nothing may be newer than what is written
// next.
func (j *journal) rollback(begun int) {
	j.image = j.image[:begun]
	if j.file != nil {
		j.file.Truncate(int64(j.written)) // if this fails as well, a start after a crash may call the journal damaged
	}
}

// empty is told that the database holds everything: the next batch is written to the beginning.
func (j *journal) empty() {
	j.image, j.written = j.image[:0], 0
}

func (j *journal) shrink() {
	if cap(j.image) > keptImage {
		j.image = nil
	}
}

// remove takes the file away, once it is empty.
func (j *journal) remove() error {
	if j.file == nil {
		return nil
	}
	err := errors.Join(j.file.Close(), os.Remove(j.path))
	j.file = nil
	return err
}

// close leaves the file as it is.
func (j *journal) close() {
	if j.file != nil {
		j.file.Close()
	}
}

func (j *journal) syncDirectory() error {
	if j.noSync {
		return nil
	}
	d, err := os.Open(filepath.Dir(j.path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// checksum is that of a frame.
func checksum(frame []byte) uint32 {
	return crc32.Checksum(frame[idLength+4:], crc32.MakeTable(crc32.Castagnoli))
}

var errJournal = errors.New("is damaged")

// replay reads the records after a revision, which a process that was killed had made durable and not brought into the
// database. A last frame that is incomplete was acknowledged to nobody, and is left out.
func (j *journal) replay(after int64) ([]record, error) {
	f, err := os.OpenFile(j.path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	j.file = f
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("is no regular file")
	case info.Size() > maxJournal:
		return nil, fmt.Errorf("has %d bytes, more than was ever written to one", info.Size())
	}
	b := make([]byte, info.Size())
	if _, err := f.ReadAt(b, 0); err != nil {
		return nil, err
	}
	if len(b) < journalHeader {
		return nil, nil // cut off at its first write
	}
	switch header := b[:journalHeader]; {
	case len(bytes.Trim(header, "\x00")) == 0: // the machine stopped at the first write: that came to the file's size alone
	case string(header[:len(journalMagic)]) != journalMagic:
		return nil, errors.New("is no journal of coracle")
	case !bytes.Equal(header[len(journalMagic):], j.id[:]):
		return nil, errors.New("belongs to another database")
	}
	return j.frames(b[journalHeader:], after)
}

// frames reads what follows the header.
func (j *journal) frames(b []byte, after int64) ([]record, error) {
	var records []record
	next := int64(0) // what the next frame begins with, 0 before the first
	for {
		first, payload, ok := j.frame(b)
		if !ok || next != 0 && first < next {
			break
		}
		if first > max(next, after+1) {
			return nil, fmt.Errorf("goes on at revision %d, and what is before it ends at %d", first, max(next-1, after))
		}
		b = b[frameHeader+len(payload):]
		for next = first; len(payload) > 0; next++ {
			length, n := binary.Uvarint(payload)
			if n <= 0 || length > uint64(len(payload)-n) {
				return nil, errJournal
			}
			r, err := decode(payload[n : n+int(length)])
			if err != nil {
				return nil, err
			}
			if payload = payload[n+int(length):]; next > after {
				records = append(records, r)
			}
		}
	}
	// Behind an incomplete frame there is nothing newer. If there is, it is not incomplete but broken, and
	// what follows it was acknowledged.
	for at := 0; ; {
		i := bytes.Index(b[at:], j.id[:])
		if i < 0 {
			return records, nil
		}
		at += i
		if first, _, ok := j.frame(b[at:]); ok && first >= max(next, after+1) {
			return nil, fmt.Errorf("%w before revision %d", errJournal, first)
		}
		at++
	}
}

// frame takes the first frame apart, if there is one.
func (j *journal) frame(b []byte) (first int64, payload []byte, ok bool) {
	if len(b) < frameHeader || !bytes.Equal(b[:idLength], j.id[:]) {
		return 0, nil, false
	}
	length := binary.LittleEndian.Uint32(b[idLength+4:])
	if uint64(length) > uint64(len(b)-frameHeader) {
		return 0, nil, false
	}
	b = b[:frameHeader+int(length)]
	if checksum(b) != binary.LittleEndian.Uint32(b[idLength:]) {
		return 0, nil, false
	}
	first = int64(binary.LittleEndian.Uint64(b[idLength+8:]))
	return first, b[frameHeader:], first > storage.FirstRevision
}
