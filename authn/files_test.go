package authn

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/authentication/user"
)

// writeFile writes a file of that name, a while after the one before it.
func writeFile(t testing.TB, path, data string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.csv")
	writeFile(t, path, `secret1,alice,1001
secret2,bob,1002,"dev,ops"
"a,b",carol,1003,one
ünïcode,dave,,
,nobody,1
secret1,mallory,6666
`)
	f, err := NewTokenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]user.Info{
		"secret1": &user.DefaultInfo{Name: "mallory", UID: "6666", Groups: []string{"system:authenticated"}}, // the later line counts
		"secret2": &user.DefaultInfo{Name: "bob", UID: "1002", Groups: []string{"dev", "ops", "system:authenticated"}},
		"a,b":     &user.DefaultInfo{Name: "carol", UID: "1003", Groups: []string{"one", "system:authenticated"}},
		"ünïcode": &user.DefaultInfo{Name: "dave", Groups: []string{"", "system:authenticated"}},
		"":        nil,
		"secret":  nil,
		"SECRET2": nil,
	} {
		a := f.Authenticate(t.Context(), &Credentials{Token: token})
		if diff := cmp.Diff(want, a.User); diff != "" {
			t.Errorf("token %q (-want +got):\n%s", token, diff)
		}
	}
	want := []string{
		"line 5 has no token before its first comma, and is skipped",
		"line 6 has the same token as a line above it, which it replaces",
	}
	if diff := cmp.Diff(want, f.Warnings()); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestTokenFile_NamesTheLine(t *testing.T) {
	for name, test := range map[string]struct{ data, want string }{
		"too few columns":   {"t,alice,1\nhunter2,bob\n", "line 2 must have at least 3 columns (token,user,uid[,groups]), found 2"},
		"an open quote":     {"t,alice,1\n\nhunter2,bob,2,\"dev\n", `line 3 is not CSV: extraneous or missing " in quoted-field (groups, of which there may be several, go into one pair of quotes)`},
		"a quote in a word": {`hunter2,b"ob,2`, `line 1 is not CSV: bare " in non-quoted-field (groups, of which there may be several, go into one pair of quotes)`},
	} {
		path := filepath.Join(t.TempDir(), "tokens.csv")
		writeFile(t, path, test.data)
		_, err := NewTokenFile(path)
		if err == nil || err.Error() != path+": "+test.want {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows a token", name)
		}
	}
	if _, err := NewTokenFile("/nowhere/tokens.csv"); err == nil || err.Error() != "read /nowhere/tokens.csv: no such file or directory" {
		t.Errorf("a missing file: %v", err)
	}
}

func TestBasicFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.csv")
	writeFile(t, path, "pa:ss,alice,1,\"dev,ops\"\n,bob,2\n")
	f, err := NewBasicFile(path)
	if err != nil {
		t.Fatal(err)
	}
	basic := func(s string) http.Header {
		return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(s))}}
	}
	for name, test := range map[string]struct {
		header http.Header
		want   Verdict
		user   string
	}{
		"right":                 {basic("alice:pa:ss"), Accepted, "alice"},
		"wrong":                 {basic("alice:pass"), Refused, ""},
		"empty":                 {basic("alice:"), Refused, ""},
		"empty, as in the file": {basic("bob:"), Accepted, "bob"},
		"a stranger":            {basic("mallory:pa:ss"), Refused, ""},
		"a stranger, empty":     {basic("mallory:"), Refused, ""},
		"not base64":            {http.Header{"Authorization": {"Basic ***"}}, Passed, ""},
		"a bearer":              {http.Header{"Authorization": {"Bearer x"}}, Passed, ""},
		"nothing":               {http.Header{}, Passed, ""},
	} {
		a := f.Authenticate(t.Context(), &Credentials{Header: test.header})
		got := ""
		if a.User != nil {
			got = a.User.GetName()
		}
		if a.Verdict != test.want || got != test.user {
			t.Errorf("%s: %s as %q, want %s as %q", name, a.Verdict, got, test.want, test.user)
		}
	}
	writeFile(t, path, "a,alice,1\nb,bob,2\nc,alice,3\n")
	if _, err := f.Reload(t.Context()); err == nil || err.Error() != path+`: line 3: the user "alice" is there already` {
		t.Errorf("a user twice: %v", err)
	}
}

func TestFile_Reload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.csv")
	writeFile(t, path, "one,alice,1\n")
	f, err := NewTokenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	mod := time.Now()
	step := func(name string, do func(), changed bool, broken string, token string) {
		t.Helper()
		do()
		mod = mod.Add(time.Second)
		os.Chtimes(path, mod, mod)
		for i := range 2 {
			got, err := f.Reload(t.Context())
			if got != (changed && i == 0) {
				t.Errorf("%s, look %d: changed %t, want %t", name, i+1, got, changed && i == 0)
			}
			if reported := err != nil; reported != (broken != "" && i == 0) || reported && !strings.Contains(err.Error(), broken) {
				t.Errorf("%s, look %d: error %v, want %q, once", name, i+1, err, broken)
			}
		}
		for _, tok := range []string{"one", "two", "three"} {
			if a := f.Authenticate(t.Context(), &Credentials{Token: tok}); (a.Verdict == Accepted) != (tok == token) {
				t.Errorf("%s: token %s is %s, though the good one is %s", name, tok, a.Verdict, token)
			}
		}
	}
	step("nothing", func() {}, false, "", "one")
	step("another token", func() { writeFile(t, path, "two,alice,1\n") }, true, "", "two")
	step("a broken line", func() { writeFile(t, path, "three,alice\n") }, false, "line 1 must have", "two")
	step("mended", func() { writeFile(t, path, "three,alice,1\n") }, true, "", "three")
	step("removed", func() { os.Remove(path) }, false, "no such file", "three")
	step("back", func() { writeFile(t, path, "one,alice,1\n") }, true, "", "one")
	step("replaced, as editors do", func() {
		writeFile(t, path+".new", "two,alice,1\n")
		os.Rename(path+".new", path)
	}, true, "", "two")
	step("emptied", func() { writeFile(t, path, "") }, true, "", "")
	step("too large", func() { writeFile(t, path, strings.Repeat("x", maxFile+1)) }, false, "larger than 4 MiB", "")
}

// reloads counts calls and answers as it is told.
type reloads struct{ calls int }

func (r *reloads) Reload(context.Context) (bool, error) { r.calls++; return r.calls == 3, nil }

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reloads{}
		var reports []int
		done := make(chan struct{})
		go func() {
			defer close(done)
			Watch(t.Context(), time.Second, func(_ Reloader, err error) { reports = append(reports, r.calls) }, r)
		}()
		time.Sleep(5*time.Second + time.Millisecond)
		synctest.Wait()
		if r.calls != 5 || !cmp.Equal(reports, []int{3}) {
			t.Errorf("%d looks, reports at %v; want 5, [3]", r.calls, reports)
		}
	})
}

func TestRoots(t *testing.T) {
	a, b := newCA(t, "a", nil), newCA(t, "b", nil)
	path := filepath.Join(t.TempDir(), "ca.crt")
	encode := func(c *x509.Certificate) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	writeFile(t, path, encode(b.cert)+"and a comment\n")
	file, err := NewCAFile(path)
	if err != nil {
		t.Fatal(err)
	}
	own := []*x509.Certificate{a.cert}
	roots := NewRoots(func() []*x509.Certificate { return own }, file.Get)
	x := NewX509(roots.Pool, fixed(noon))
	check := func(when string, want map[*ca]Verdict) {
		t.Helper()
		for c, v := range want {
			if got := x.Authenticate(t.Context(), &Credentials{Certificates: []*x509.Certificate{c.client(t, "alice")}}); got.Verdict != v {
				t.Errorf("%s: a client of %s is %s, want %s", when, c.cert.Subject.CommonName, got.Verdict, v)
			}
		}
	}
	check("both", map[*ca]Verdict{a: Accepted, b: Accepted})
	if first := roots.Pool(); first != roots.Pool() {
		t.Error("the pool is made again without need, so that nothing is ever remembered")
	}
	c := newCA(t, "c", nil)
	writeFile(t, path, encode(c.cert))
	os.Chtimes(path, noon, noon)
	if _, err := file.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("another file", map[*ca]Verdict{a: Accepted, b: Refused, c: Accepted})
	writeFile(t, path, "nothing")
	if _, err := file.Reload(t.Context()); err == nil || !strings.HasSuffix(err.Error(), "ca.crt: there is no PEM certificate in it") {
		t.Errorf("a broken file: %v", err)
	}
	check("a broken file", map[*ca]Verdict{a: Accepted, c: Accepted})
	if NewRoots(func() []*x509.Certificate { return nil }).Pool() != nil {
		t.Error("a pool of nothing, under which everybody is refused rather than passed on")
	}
}

func FuzzTokenFile(f *testing.F) {
	f.Add([]byte("a,b,c,\"d,e\"\n"))
	f.Add([]byte("\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if table, err := parseTokens(data); err == nil {
			for _, u := range table.users {
				if len(u.GetGroups()) == 0 {
					t.Error("a user without the group of all who are authenticated")
				}
			}
		}
		parsePasswords(data)
	})
}
