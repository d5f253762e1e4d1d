package people

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const boats = "users:\n- {name: ann, password: one, token: t-one}\n- {name: bob}\n"

func TestParse_SaysWhatIsWrongAndNoSecret(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"no name":             {"users: [{token: hush}]", "users[0] has no name"},
		"twice the same name": {"users: [{name: a, token: hush}, {name: a}]", "users[1] (a) has the name or the token of one before it"},
		"twice the same token": {"users: [{name: a, token: hush}, {name: b, token: hush}]",
			"users[1] (b) has the name or the token of one before it"},
		"a line break in a group":       {`users: [{name: a, groups: ["dev\nX-Remote-Group: system:masters"]}]`, "control character"},
		"a key without a secret":        {"users: [{name: a, accessKeys: [{id: AKIAAAAAAAAAAAAAAAAA}]}]", "users[0] (a): accessKeys[0] has no secret"},
		"a key with a short id":         {"users: [{name: a, accessKeys: [{id: AKIA, secret: hush}]}]", "users[0] (a): accessKeys[0] has no id of at least 16"},
		"a name that AWS does not have": {"users: [{name: 'system:admin', accessKeys: [{id: AKIAAAAAAAAAAAAAAAAA, secret: hush}]}]", "accessKeys[0] needs a name and a role"},
		"a role's key that lasts":       {"users: [{name: a, accessKeys: [{id: AKIAAAAAAAAAAAAAAAAA, secret: hush, role: r}]}]", "accessKeys[0] is a role's, and has no sessionToken"},
		"twice the same key":            {"users: [{name: a, accessKeys: [{id: AKIAAAAAAAAAAAAAAAAA, secret: hush}]}, {name: b, accessKeys: [{id: AKIAAAAAAAAAAAAAAAAA, secret: hush}]}]", "users[1] (b): accessKeys[0] has the id of one before it"},
		"an unknown field":              {"users: [{name: a, pasword: hush}]", `unknown field "pasword"`},
		"another type":                  {"users: [{name: a, token: [hush]}]", "a value has the wrong type"},
		"no YAML":                       {"users:\n- {name: a, token: hush", "line 2"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "hush") {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

func TestContent_WhoHasNoSecretHasNoWayIn(t *testing.T) {
	c, err := Parse([]byte(boats))
	if err != nil {
		t.Fatal(err)
	}
	if p := c.ByPassword("ann", "one"); p == nil || p.Name != "ann" {
		t.Errorf("ann's password finds %v", p)
	}
	if p := c.ByToken("t-one"); p == nil || p.Name != "ann" {
		t.Errorf("ann's token finds %v", p)
	}
	if p, k := c.ByAccessKey(""); p != nil || k != nil {
		t.Error("no key finds somebody")
	}
	if c.ByPassword("bob", "") != nil || c.ByPassword("", "") != nil || c.ByToken("") != nil || c.ByPassword("bob", "one") != nil {
		t.Error("an empty or somebody else's secret finds somebody")
	}
}

func TestFile_Faulty(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.yaml")
	save := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	save(boats)
	f, err := Open(path, nil, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		h := f.Faulty(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
		took := func() (d time.Duration, broken any) {
			defer func() { broken = recover() }()
			begun := time.Now()
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
			return time.Since(begun), nil
		}
		if d, broken := took(); d != 0 || broken != nil {
			t.Errorf("without a fault: %s, %v", d, broken)
		}
		save("misbehave: [slow]\n" + boats)
		if d, broken := took(); d != slowness || broken != nil {
			t.Errorf("slow: %s, %v", d, broken)
		}
		save("misbehave: [down]\n" + boats)
		if _, broken := took(); broken != http.ErrAbortHandler {
			t.Errorf("down: %v, want a broken connection", broken)
		}
		save("misbehave: [wrong-audience]\n" + boats) // which this one cannot
		if _, broken := took(); broken != http.ErrAbortHandler {
			t.Errorf("after a file that is refused: %v, want the fault as before", broken)
		}
	})
	if _, err := Open(path, nil, []string{"telepathy"}, slog.Default()); err == nil || !strings.HasPrefix(err.Error(), "--misbehave: ") {
		t.Errorf("an unknown fault: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(boats))
	f.Add([]byte("misbehave: [slow]\nusers: [{name: a, extra: {k: [v]}}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data)
		if err != nil {
			return
		}
		if p := c.ByToken(""); p != nil {
			t.Errorf("nothing is the token of %q", p.Name)
		}
		for _, p := range c.Users {
			if p.Token != "" && c.ByToken(p.Token).Name != p.Name {
				t.Errorf("the token of %q finds somebody else", p.Name)
			}
		}
	})
}
