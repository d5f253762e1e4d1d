package frontproxy

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"coracle/counterparts/people"
)

func TestStripAndIdentify(t *testing.T) {
	h := http.Header{ // keys as a server might be sent them, not all of them canonical
		"X-Remote-User": {"root", "toor"}, "x-remote-group": {"system:masters"}, "X_Remote_Group": {"system:masters"},
		"X-Remote-Extra-Scopes": {"all"}, "X-Remote-Uid": {"0"}, "Authorization": {"Basic secret"}, "Accept": {"*/*"},
	}
	strip(h)
	identify(h, &people.Person{Name: "ann", Groups: []string{"dev", "ops"}, Extra: map[string][]string{"team/name": {"boats"}}})
	want := http.Header{
		"X-Remote-User": {"ann"}, "X-Remote-Group": {"dev", "ops"}, "X-Remote-Extra-Team%2fname": {"boats"}, "Accept": {"*/*"},
	}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}
