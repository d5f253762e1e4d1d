package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"coracle/storage"
)

// record is an entry of the log.
//
// Encoded: type (1 byte), created, previous (uvarint each), length of the key (uvarint), key, value.
type record struct {
	kind     storage.EventType
	created  int64 // revision at which the key came into being
	previous int64 // revision of the key's state before, 0 for none
	key      string
	value    []byte // of a Put
}

var errRecord = errors.New("record of the log is damaged")

func (r record) encode() []byte { return r.append(make([]byte, 0, r.size())) }

// size is how long the encoded record is.
func (r record) size() int {
	n := 1 + len(r.key) + len(r.value)
	for _, v := range [...]uint64{uint64(r.created), uint64(r.previous), uint64(len(r.key))} {
		n += (bits.Len64(v|1) + 6) / 7 // a byte for seven bits
	}
	return n
}

func (r record) append(b []byte) []byte {
	b = append(b, byte(r.kind))
	b = binary.AppendUvarint(b, uint64(r.created))
	b = binary.AppendUvarint(b, uint64(r.previous))
	b = binary.AppendUvarint(b, uint64(len(r.key)))
	b = append(b, r.key...)
	return append(b, r.value...)
}

// decode reads a record; its value is a copy.
func decode(b []byte) (record, error) {
	var r record
	if len(b) == 0 {
		return r, errRecord
	}
	r.kind = storage.EventType(b[0])
	if r.kind != storage.Put && r.kind != storage.Delete {
		return r, fmt.Errorf("%w: unknown type %d", errRecord, b[0])
	}
	b = b[1:]
	var numbers [3]uint64
	for i := range numbers {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > 1<<63-1 {
			return r, errRecord
		}
		numbers[i], b = v, b[n:]
	}
	if numbers[2] > uint64(len(b)) {
		return r, errRecord
	}
	r.created, r.previous = int64(numbers[0]), int64(numbers[1])
	r.key = string(b[:numbers[2]])
	if rest := b[numbers[2]:]; r.kind == storage.Put {
		r.value = append(make([]byte, 0, len(rest)), rest...)
	}
	return r, nil
}

func revisionKey(rev int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(rev)) }

func revisionOf(b []byte) int64 {
	if len(b) != 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b))
}

// indexKey is a key's entry in the key bucket for one revision. Keys hold no zero byte, so that the
// entries of one key stand together and in order.
func indexKey(key string, rev int64) []byte {
	b := make([]byte, 0, len(key)+9)
	b = append(b, key...)
	b = append(b, 0)
	return binary.BigEndian.AppendUint64(b, uint64(rev))
}

// splitIndex takes an entry of the key bucket apart.
func splitIndex(b []byte) (key []byte, rev int64, ok bool) {
	if len(b) < 9 || b[len(b)-9] != 0 {
		return nil, 0, false
	}
	return b[:len(b)-9], revisionOf(b[len(b)-8:]), true
}
