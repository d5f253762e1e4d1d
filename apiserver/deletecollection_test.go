package apiserver

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"coracle/apiserver/admission"
)

// gate refuses the deletion of one object, warns of all, and remembers in which order it was asked.
type gate struct {
	refuse string

	mu    sync.Mutex
	asked []string
}

func (*gate) Name() string { return "Gate" }

func (g *gate) Validate(_ context.Context, a *admission.Attributes) error {
	if a.Operation != admission.Delete {
		return nil
	}
	name := nameOf(a)
	g.mu.Lock()
	g.asked = append(g.asked, name)
	g.mu.Unlock()
	a.Warn("parting with " + name)
	if name == g.refuse {
		return admission.Forbidden(a, errors.New("it stays"))
	}
	return nil
}

func nameOf(a *admission.Attributes) string {
	m, ok := a.Old.(interface{ GetName() string })
	if !ok {
		return ""
	}
	return m.GetName()
}

// As with kube-apiserver, which deletes one after the other.
func TestDeleteCollection(t *testing.T) {
	const maps = "/api/v1/namespaces/blue/configmaps"
	for name, test := range map[string]struct {
		refuse      string
		asked, left int
	}{
		"all go":                               {"", 200, 0},
		"what comes after a refused one stays": {"c-120", 121, 80},
		"the first is refused":                 {"c-000", 1, 200},
	} {
		t.Run(name, func(t *testing.T) {
			g := &gate{refuse: test.refuse}
			h := serve(t, g)
			if w, _ := ask(t, h, "POST /api/v1/namespaces", namespace); w.Code != 201 {
				t.Fatal(w.Body)
			}
			var want []string
			for i := range 200 {
				name := fmt.Sprintf("c-%03d", i)
				if i < test.asked {
					want = append(want, name)
				}
				if w, _ := ask(t, h, "POST "+maps, strings.ReplaceAll(configMap, `"c"`, `"`+name+`"`)); w.Code != 201 {
					t.Fatal(w.Body)
				}
			}
			w, _ := ask(t, h, "DELETE "+maps, "")
			if refused := test.refuse != ""; refused != (w.Code == 403) {
				t.Errorf("answered %d: %s", w.Code, w.Body)
			}
			if diff := cmp.Diff(want, g.asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			var warned []string
			for _, name := range want {
				warned = append(warned, `299 - "parting with `+name+`"`)
			}
			if diff := cmp.Diff(warned, w.Header().Values("Warning")); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			_, list := ask(t, h, "GET "+maps, "")
			if left := list["items"].([]any); len(left) != test.left {
				t.Errorf("%d are left, want %d", len(left), test.left)
			}
		})
	}
}

// The ways of kube-apiserver's recorder of warnings.
func TestWarnings(t *testing.T) {
	long := func(c string) string { return strings.Repeat(c, 700) }
	cut := func(c string) string { return strings.Repeat(c, 256) }
	for name, test := range map[string]struct{ said, want []string }{
		"each once":                     {[]string{"a", "b", "a", ""}, []string{"a", "b"}},
		"what no header can hold":       {[]string{"a\tb", "c\nd", "\xff", `"\`}, []string{`\"\\`}},
		"all of what there is room for": {[]string{long("a"), long("é"), long("c"), long("d"), long("e")}, []string{long("a"), long("é"), long("c"), long("d"), long("e")}},
		"each cut when there are too many": {
			[]string{long("a"), long("é"), long("c"), long("d"), long("e"), long("f"), "short", long("g")},
			[]string{cut("a"), cut("é"), cut("c"), cut("d"), cut("e"), cut("f"), "short", cut("g")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			ctx := withWarnings(t.Context(), w)
			for _, text := range test.said {
				warn(ctx, text)
			}
			var want []string
			for _, text := range test.want {
				want = append(want, `299 - "`+text+`"`)
			}
			if diff := cmp.Diff(want, w.Header().Values("Warning")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("an end to them", func(t *testing.T) {
		w := httptest.NewRecorder()
		ctx := withWarnings(t.Context(), w)
		for i := range 10000 {
			warn(ctx, fmt.Sprintf("%0300d", i))
		}
		if n := len(w.Header().Values("Warning")); n != maxWarnings/maxWarning {
			t.Errorf("%d warnings, want %d", n, maxWarnings/maxWarning)
		}
	})
}
