package apiserver

import (
	"net/http"
	"runtime"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
)

// Reading a selector of half a million terms takes a gigabyte, and comes before it is known who sends it.
func TestAttack_LongSelectors(t *testing.T) {
	few, many := strings.Repeat("a,", maxTerms-1)+"a", strings.Repeat("a,", 20*maxTerms)+"a"
	h := serve(t)
	if w := send(t, h, "GET /api/v1/pods?labelSelector="+few, "", ""); w.Code != http.StatusOK {
		t.Errorf("got %d: %s", w.Code, w.Body)
	}
	const most = 32 << 20
	before := allocated()
	for _, query := range []string{"?labelSelector=" + many, "?fieldSelector=" + many, "?watch=1&labelSelector=" + many} {
		if w := send(t, h, "GET /api/v1/pods"+query, "", ""); w.Code != http.StatusBadRequest {
			t.Errorf("got %d", w.Code)
		}
	}
	raw := &authorizationv1.LabelSelectorAttributes{RawSelector: many}
	if _, err := labelRequirements(raw); err == nil {
		t.Error("a review read it")
	}
	if took := allocated() - before; took > most {
		t.Errorf("%d bytes were allocated for %d", took, len(many))
	}
}

// allocated is how many bytes this process has allocated so far.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
