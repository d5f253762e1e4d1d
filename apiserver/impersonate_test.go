package apiserver

import (
	"net/http"
	"testing"
)

// Whatever the headers say, somebody is impersonated only under a name, and whoever sends any of them is not left as they are.
func FuzzImpersonation(f *testing.F) {
	f.Add("alice", "7", "dev", "Scopes", "view")
	f.Add("", "", "", "", "")
	f.Add("", "", "system:masters", "%2F", "")
	f.Fuzz(func(t *testing.T, name, uid, group, field, value string) {
		h := http.Header{}
		for header, v := range map[string]string{"Impersonate-User": name, "Impersonate-Uid": uid, "Impersonate-Group": group, "Impersonate-Extra-" + field: value} {
			if v != "" {
				h.Set(header, v)
			}
		}
		u, err := impersonation(h)
		switch {
		case len(h) == 0 && (u != nil || err != nil):
			t.Errorf("nobody asked for anything: %+v, %v", u, err)
		case len(h) > 0 && (u == nil) == (err == nil):
			t.Errorf("%q gave %+v, %v", h, u, err)
		case u != nil && (u.Name != name || u.UID != uid || len(u.Extra) > 1 || len(u.Groups) > 1):
			t.Errorf("%q gave %+v", h, u)
		}
	})
}
