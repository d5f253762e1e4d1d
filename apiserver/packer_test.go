package apiserver

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPackedWatch reads a compressed watch as it comes: what there is, its end, and what is written afterwards.
func TestPackedWatch(t *testing.T) {
	const maps = "/api/v1/namespaces/blue/configmaps"
	const first = "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
	h := made(t, [2]string{"POST " + maps, configMap})
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	for name, test := range map[string]struct {
		query, accepts string
		packed         bool
	}{
		"in place of a list":         {first + "&allowWatchBookmarks=true", "gzip", true},
		"for a client that does not": {first + "&allowWatchBookmarks=true", "br", false},
		"of changes alone":           {"&allowWatchBookmarks=true&resourceVersion=1", "gzip", false},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+maps+"?watch=1"+test.query, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Accept-Encoding", test.accepts)
			resp, err := server.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body := io.Reader(resp.Body)
			if packed := resp.Header.Get("Content-Encoding") == "gzip" && resp.Header.Get("Vary") == "Accept-Encoding"; packed != test.packed {
				t.Fatalf("%v, want packed: %v", resp.Header, test.packed)
			}
			if test.packed {
				if body, err = gzip.NewReader(resp.Body); err != nil {
					t.Fatal(err)
				}
			}
			events := json.NewDecoder(body)
			next := func() string {
				var e struct {
					Type   string
					Object struct{ Metadata struct{ Name string } }
				}
				if err := events.Decode(&e); err != nil {
					t.Fatal(err)
				}
				return e.Type + " " + e.Object.Metadata.Name
			}
			got := []string{next()}
			want := []string{"ADDED c"}
			if test.query == first+"&allowWatchBookmarks=true" {
				got, want = append(got, next()), append(want, "BOOKMARK ")
			}
			bodies := map[string]string{"POST " + maps: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"later"}}`}
			for _, write := range []string{"POST " + maps, "DELETE " + maps + "/later"} {
				if w, _ := ask(t, h, write, bodies[write]); w.Code >= 300 {
					t.Fatal(w.Body)
				}
				got = append(got, next()) // before anything else happens
			}
			if diff := cmp.Diff(append(want, "ADDED later", "DELETED later"), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// full takes no more.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("the client is gone") }

func TestPacker(t *testing.T) {
	held := 0
	pool := &sync.Pool{New: newCompressor}
	var out bytes.Buffer
	p := &packer{w: &out, pool: pool}
	for _, text := range []string{"a", "bb"} {
		p.Write([]byte(text))
		p.Write([]byte("\n"))
		if err := p.flush(); err != nil {
			t.Fatal(err)
		}
		if p.z != nil {
			held++
		}
	}
	p.flush() // nothing is nothing
	if out.Len() == 0 || held > 0 {
		t.Errorf("after a flush %d compressors are held", held)
	}
	z, err := gzip.NewReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(z); string(text) != "a\nbb\n" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	broken := &packer{w: full{}, pool: pool}
	broken.Write([]byte("x"))
	if err := broken.flush(); err == nil || broken.z != nil {
		t.Errorf("%v, and %v is held", err, broken.z)
	}
}
