package apiserver

import (
	"path/filepath"
	"sync"
	"testing"

	"coracle/storage"
	"coracle/storage/bolt"
)

// expecting is a store that notes of how many writes it has been told.
type expecting struct {
	storage.Store
	mu        sync.Mutex
	now, most int
}

func (e *expecting) Expect(writes int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.now += writes
	e.most = max(e.most, e.now)
	e.Store.Expect(writes)
}

// The store is told of each write that is on its way, and when it is no more, whatever has become of it.
func TestStoreIsToldOfWritesToCome(t *testing.T) {
	db, err := bolt.Open(filepath.Join(t.TempDir(), "db"), bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	e := &expecting{Store: db}
	h := serveFrom(t, e)
	const maps = "/api/v1/namespaces/blue/configmaps"
	for _, c := range []struct {
		request, body string
		code, most    int
	}{
		{"POST " + maps, `{"metadata":{"name":"a"}}`, 201, 1},
		{"POST " + maps, `{"metadata":{"name":"a"}}`, 409, 1},
		{"POST " + maps, `{"metadata":{"name":"A"}}`, 422, 1},
		{"POST " + maps, `{`, 400, 1},
		{"PATCH+merge " + maps + "/a", `{"data":{"k":"v"}}`, 200, 1},
		{"GET " + maps + "/a", "", 200, 0},
		{"DELETE " + maps + "/a", "", 200, 1},
		{"DELETE " + maps + "/a", "", 404, 1},
	} {
		e.most = 0
		if w := send(t, h, c.request, c.body, ""); w.Code != c.code {
			t.Errorf("%s: %d, %s", c.request, w.Code, w.Body)
		}
		if e.now != 0 || e.most != c.most {
			t.Errorf("%s %s: of %d writes the store is told, and of %d it is not told that they are over", c.request, c.body, e.most, e.now)
		}
	}
}
