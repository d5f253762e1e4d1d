package apiserver

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"coracle/apiserver/wire"
)

func TestSendBytes(t *testing.T) {
	s := &Server{}
	s.compressors.New = newCompressor
	small, large := bytes.Repeat([]byte("a"), gzipFrom-1), bytes.Repeat([]byte("a"), gzipFrom)
	for name, c := range map[string]struct {
		accept     string
		body       []byte
		compressed bool
	}{
		"a large answer is compressed for who reads gzip": {accept: "deflate, gzip", body: large, compressed: true},
		"a small one is not":                              {accept: "gzip", body: small},
		"nor one for who does not read it":                {accept: "br", body: large},
		"one that ends a line is complete":                {accept: "br", body: []byte("{}\n")},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Accept-Encoding", c.accept)
			f, err := wire.Negotiate(r, wire.Offer{})
			if err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			s.sendBytes(w, f, http.StatusOK, c.body)
			want, got := "", w.Header().Get("Content-Encoding")
			read := io.Reader(w.Body)
			if c.compressed {
				want = "gzip"
				if read, err = gzip.NewReader(w.Body); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Content-Encoding (-want +got):\n%s", diff)
			}
			body, err := io.ReadAll(read)
			if err != nil || string(body) != strings.TrimSuffix(string(c.body), "\n")+"\n" {
				t.Errorf("%d bytes came back of %d (%v)", len(body), len(c.body), err)
			}
		})
	}
}
