package openapi_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"coracle/apiserver/catalog"
	"coracle/apiserver/openapi"
)

// What a client, or a cache in between, is told of a document besides its content.
func TestHeaders(t *testing.T) {
	service := openapi.New(catalog.New(catalog.Builtin()), "1.37")
	ask := func(method, path string, headers ...string) *httptest.ResponseRecorder {
		w, r := httptest.NewRecorder(), httptest.NewRequest(method, path, nil)
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			r.Header.Set(name, value)
		}
		found, err := true, error(nil)
		switch name, _ := strings.CutPrefix(r.URL.Path, "/openapi/v3/"); r.URL.Path {
		case "/openapi/v3":
			err = service.Index(w, r)
		case "/openapi/v2":
			err = service.Everything(w, r)
		default:
			found, err = service.Chapter(w, r, name)
		}
		if !found || err != nil {
			t.Fatal(path, found, err)
		}
		return w
	}
	const apps = "/openapi/v3/apis/apps/v1"
	address := regexp.MustCompile(apps + `\?hash=[0-9A-F]{128}`).FindString(ask("GET", "/openapi/v3").Body.String())
	_, hash, _ := strings.Cut(address, "=")
	v2 := ask("GET", "/openapi/v2").Header().Get("ETag")
	const json3, proto2, proto3 = "application/json", "application/com.github.proto-openapi.spec.v2.v1.0+protobuf", "application/com.github.proto-openapi.spec.v3.v1.0+protobuf"
	for name, test := range map[string]struct {
		method, path string
		headers      []string
		code         int
		want         map[string]string // "" for a header that is not there
	}{
		"the index is text without a tag":        {path: "/openapi/v3", code: 200, want: map[string]string{"Content-Type": "text/plain; charset=utf-8", "ETag": "", "Vary": ""}},
		"it is sent again within the second":     {path: "/openapi/v3", headers: []string{"If-Modified-Since: " + time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}, code: 200},
		"and answers any method":                 {method: "POST", path: "/openapi/v3", code: 200},
		"a document says its hash":               {path: apps, code: 200, want: map[string]string{"Content-Type": json3, "ETag": `"` + hash + `"`, "Vary": "Accept", "Cache-Control": ""}},
		"by its hash it is for ever":             {path: address, code: 200, want: map[string]string{"ETag": `"` + hash + `"`, "Cache-Control": "public, immutable"}},
		"another hash leads to it":               {path: apps + "?hash=0", code: 301, want: map[string]string{"Location": address, "ETag": `"` + hash + `"`, "Cache-Control": ""}},
		"who has it is not sent it again":        {path: apps, headers: []string{`If-None-Match: "` + hash + `"`}, code: 304},
		"protobuf":                               {path: apps, headers: []string{"Accept: " + proto3}, code: 200, want: map[string]string{"Content-Type": proto3, "ETag": `"` + hash + `"`}},
		"protobuf by its older name":             {path: apps, headers: []string{"Accept: " + strings.Replace(proto3, "v3.", "v3@", 1)}, code: 200, want: map[string]string{"Content-Type": proto3}},
		"what comes first":                       {path: apps, headers: []string{"Accept: text/html, " + proto3 + ";q=0.5, application/*;q=0.4"}, code: 200, want: map[string]string{"Content-Type": proto3}},
		"anything is JSON":                       {path: apps, headers: []string{"Accept: */*"}, code: 200, want: map[string]string{"Content-Type": json3}},
		"neither":                                {path: apps, headers: []string{"Accept: text/html"}, code: 406, want: map[string]string{"Vary": "Accept", "ETag": ""}},
		"v2":                                     {path: "/openapi/v2", code: 200, want: map[string]string{"Content-Type": json3, "ETag": v2, "Content-Encoding": ""}},
		"v2 is compressed for who reads gzip":    {path: "/openapi/v2", headers: []string{"Accept-Encoding: gzip"}, code: 200, want: map[string]string{"Content-Encoding": "gzip", "ETag": v2}},
		"v2 in protobuf has the tag of the JSON": {path: "/openapi/v2", headers: []string{"Accept: " + proto2}, code: 200, want: map[string]string{"Content-Type": proto2, "ETag": v2}},
		"v2 that one has":                        {path: "/openapi/v2", headers: []string{"If-None-Match: " + v2}, code: 304},
		"v2 in neither":                          {path: "/openapi/v2", headers: []string{"Accept: text/html"}, code: 406},
	} {
		t.Run(name, func(t *testing.T) {
			if test.method == "" {
				test.method = "GET"
			}
			w := ask(test.method, test.path, test.headers...)
			got := map[string]string{}
			for h := range test.want {
				got[h] = w.Header().Get(h)
			}
			if w.Code != test.code {
				t.Errorf("%d, want %d", w.Code, test.code)
			}
			if len(test.want) > 0 {
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
	if got, want := ask("GET", "/openapi/v2").Header()["Vary"], []string{"Accept-Encoding", "Accept"}; !cmp.Equal(got, want) {
		t.Errorf("v2 varies by %q, want %q", got, want)
	}
	if w := ask(http.MethodHead, apps); w.Body.Len() > 0 || w.Header().Get("ETag") == "" {
		t.Errorf("HEAD is answered with %d bytes and the tag %s", w.Body.Len(), w.Header().Get("ETag"))
	}
}
