package apiserver

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
)

// Reading a selector of half a million terms takes a gigabyte, and comes before it is known whether its sender may send it.
func TestAttack_LongSelectors(t *testing.T) {
	few, many := strings.Repeat("a,", maxTerms-1)+"a", strings.Repeat("a,", 20*maxTerms)+"a"
	asking := func(selector string) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/api/v1/pods?labelSelector="+selector, nil)
		info := &apirequest.RequestInfo{IsResourceRequest: true, Verb: "list", Resource: "pods", LabelSelector: selector, FieldSelector: selector}
		return r.WithContext(apirequest.WithRequestInfo(context.Background(), info))
	}
	if a := attributesOf(asking(few)); len(a.LabelSelector) != maxTerms {
		t.Errorf("of %d terms %d are read", maxTerms, len(a.LabelSelector))
	}
	if _, err := listOptions(asking(few)); err != nil {
		t.Error(err)
	}
	const most = 16 << 20
	before := allocated()
	r := asking(many)
	if a := attributesOf(r); len(a.LabelSelector)+len(a.FieldSelector) != 0 {
		t.Error("it was read to see who may send it")
	}
	if _, err := listOptions(r); !apierrors.IsBadRequest(err) {
		t.Errorf("got %v", err)
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
