package cache_test

import (
	"fmt"
	"sync"
	"testing"

	"coracle/storage/cache"
)

func fill(b *testing.B, c *cache.Cache, n int) {
	b.Helper()
	value := make([]byte, 2048)
	var wg sync.WaitGroup
	for w := range 32 {
		wg.Go(func() {
			for i := w; i < n; i += 32 {
				if _, err := c.Create(b.Context(), key("bench", fmt.Sprintf("%06d", i)), value, nil); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkGet(b *testing.B) {
	for _, n := range []int{1_000, 50_000} {
		b.Run(fmt.Sprintf("of=%d", n), func(b *testing.B) {
			c, _ := open(b, cache.Options{})
			fill(b, c, n)
			k := key("bench", "000500")
			b.ReportAllocs()
			for b.Loop() {
				c.Get(k)
			}
		})
	}
}

func BenchmarkList10k(b *testing.B) {
	c, _ := open(b, cache.Options{})
	fill(b, c, 10_000)
	for _, limit := range []int{0, 500} {
		b.Run(fmt.Sprintf("limit=%d", limit), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.ListAt(b.Context(), pods, 0, "", limit); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFanOut is one change told to 1,000 watchers, who all read it.
func BenchmarkFanOut(b *testing.B) {
	c, _ := open(b, cache.Options{})
	e := create(b, c, key("bench", "a"), "1")
	watchers := make([]*cache.Watcher, 1000)
	for i := range watchers {
		watchers[i] = watch(b, c, pods, e.Revision, cache.WatchOptions{})
	}
	value := make([]byte, 2048)
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if e, err = c.Update(b.Context(), e.Key, value, nil, e.Revision); err != nil {
			b.Fatal(err)
		}
		for _, w := range watchers {
			<-w.Ready()
			w.Take()
		}
	}
}

func BenchmarkCreate(b *testing.B) {
	for _, n := range []int{1_000, 50_000} {
		b.Run(fmt.Sprintf("of=%d", n), func(b *testing.B) {
			c, _ := open(b, cache.Options{})
			fill(b, c, n)
			value := make([]byte, 2048)
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				i++
				if _, err := c.Create(b.Context(), key("new", fmt.Sprint(i)), value, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
