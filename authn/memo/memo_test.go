package memo

import (
	"fmt"
	"sync"
	"testing"
)

func TestMemo(t *testing.T) {
	m := New[int, string](10)
	for i := range 100 {
		m.Set(i, fmt.Sprint(i))
		if v, ok := m.Get(0); !ok || v != "0" {
			t.Fatalf("after %d more, what is in use was forgotten", i)
		}
		if n := len(m.young) + len(m.old); n > 10 {
			t.Fatalf("%d entries, more than 10", n)
		}
	}
	if _, ok := m.Get(1); ok {
		t.Error("what nobody asked for is still there")
	}
	if v, ok := m.Get(99); !ok || v != "99" {
		t.Error("the newest was forgotten")
	}
	m.Set(99, "again")
	if v, _ := m.Get(99); v != "again" {
		t.Errorf("value is %q, want the newer", v)
	}
	m.Clear()
	if _, ok := m.Get(99); ok {
		t.Error("there is something left")
	}
}

func TestMemo_ByManyAtOnce(t *testing.T) {
	m := New[int, int](8)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 1000 {
				m.Set(i%16, i%16)
				if v, ok := m.Get((i + g) % 16); ok && v != (i+g)%16 {
					t.Errorf("%d under %d", v, (i+g)%16)
				}
			}
		})
	}
	wg.Wait()
}
