package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPace(t *testing.T) {
	const mb = 1 << 20
	type answer struct {
		Percent int
		Free    bool
	}
	for _, c := range []struct {
		name string
		live uint64
		each []uint64 // what is allocated between looks
		want []answer
	}{
		{"at rest nothing is done", 30 * mb, []uint64{mb, 0, mb}, []answer{{}, {}, {}}},
		{"a burst begins, goes on and is over", 32 * mb, []uint64{50 * mb, 60 * mb, 0, mb, 0, 0}, []answer{{400, false}, {}, {}, {}, {100, true}, {}}},
		{"a pause in a burst is not its end", 32 * mb, []uint64{50 * mb, 0, 50 * mb, 0, 0, 0}, []answer{{400, false}, {}, {}, {}, {}, {100, true}}},
		{"a large heap gets no more than Go gives it", 1024 * mb, []uint64{50 * mb}, []answer{{100, false}}},
		{"a tiny one not without end", mb, []uint64{50 * mb}, []answer{{800, false}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p pace
			var allocated uint64
			var got []answer
			for _, more := range c.each {
				allocated += more
				percent, free := p.next(allocated, c.live)
				got = append(got, answer{percent, free})
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
