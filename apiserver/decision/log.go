package decision

import "sync"

// Log holds the newest finished records. It is safe for many goroutines.
type Log struct {
	mu      sync.Mutex
	ring    []*Record
	written uint64 // how many were ever kept; ring[written%len] is the next to be replaced
	follow  map[chan *Record]struct{}
}

// NewLog returns a log of the newest n records.
func NewLog(n int) *Log {
	return &Log{ring: make([]*Record, n), follow: map[chan *Record]struct{}{}}
}

// Keep adds a finished record, which nobody may change from then on.
func (l *Log) Keep(r *Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring[l.written%uint64(len(l.ring))] = r
	l.written++
	r.Sequence = l.written
	for ch := range l.follow {
		select {
		case ch <- r:
		default: // a follower that is too slow misses records; it is never waited for
		}
	}
}

// Sequence is that of the newest record.
func (l *Log) Sequence() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.written
}

// Newest returns the kept records, the newest first.
func (l *Log) Newest() []*Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(l.written, uint64(len(l.ring)))
	out := make([]*Record, n)
	for i := range n {
		out[i] = l.ring[(l.written-1-i)%uint64(len(l.ring))]
	}
	return out
}

// Since returns the kept records after a sequence number, the oldest first, and the newest one's number.
func (l *Log) Since(sequence uint64) ([]*Record, uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	size := uint64(len(l.ring))
	first := max(sequence, l.written-min(l.written, size))
	var out []*Record
	for i := first; i < l.written; i++ {
		out = append(out, l.ring[i%size])
	}
	return out, l.written
}

// Find returns the kept record of that id, nil for none; of those alone that may be seen. Clients may choose ids: of
// several it is the first, so that nobody can put another in its place.
func (l *Log) Find(id string, visible func(*Record) bool) *Record {
	kept, _ := l.Since(0)
	for _, r := range kept {
		if r.ID == id && visible(r) {
			return r
		}
	}
	return nil
}

// Follow returns a channel of the records kept from now on. One that is not read in time misses some.
// stop ends it.
func (l *Log) Follow() (records <-chan *Record, stop func()) {
	ch := make(chan *Record, 256)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.follow[ch] = struct{}{}
	return ch, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if _, ok := l.follow[ch]; ok {
			delete(l.follow, ch)
			close(ch)
		}
	}
}
