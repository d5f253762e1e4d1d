package why

import (
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/apiserver/authz"
	"coracle/apiserver/decision"
	"coracle/rbac"
)

// Somebody who may do nothing can still fill the log.
func TestShorten(t *testing.T) {
	long := "/" + strings.Repeat("\u00e9", 500_000)
	a := &rbac.Attributes{User: &user.DefaultInfo{Name: "ann"}, Verb: "get", Path: long}
	r := &decision.Record{Code: 403, Agent: long, Message: long}
	r.Request.Path = long
	r.Authorization = authz.Chain{authz.RBAC{Policy: rbac.NewPolicy()}}.Ask(t.Context(), a).Opinions
	Shorten(r, 100)
	data, err := json.Marshal(Render(r))
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 2000 {
		t.Errorf("%d bytes are kept", len(data))
	}
	for _, o := range r.Authorization {
		if o.Because != nil {
			t.Error("the request is kept as a whole")
		}
	}
	if !strings.HasPrefix(r.Request.Path, "/\u00e9") || !strings.HasSuffix(r.Request.Path, "...") {
		t.Errorf("the path is %q", r.Request.Path)
	}
}
