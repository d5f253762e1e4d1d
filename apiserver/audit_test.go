package apiserver

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	k8saudit "k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/audit/policy"
	"k8s.io/component-base/metrics/legacyregistry"

	"coracle/apiserver/audit"
)

// notebook is a sink that keeps stages and codes, or takes nothing.
type notebook struct {
	full  bool
	notes []note
}

type note struct {
	Stage   auditinternal.Stage
	Code    int32
	Message string
}

func (n *notebook) ProcessEvents(events ...*auditinternal.Event) bool {
	if n.full {
		return false
	}
	for _, e := range events {
		one := note{Stage: e.Stage}
		if e.ResponseStatus != nil {
			one.Code, one.Message = e.ResponseStatus.Code, e.ResponseStatus.Message
		}
		n.notes = append(n.notes, one)
	}
	return true
}

func TestAudit(t *testing.T) {
	const received, started, complete = auditinternal.StageRequestReceived, auditinternal.StageResponseStarted, auditinternal.StageResponseComplete
	answer := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }
	for name, c := range map[string]struct {
		level  auditinternal.Level
		verb   string
		next   http.HandlerFunc
		full   bool
		code   int
		panics bool
		want   []note
	}{
		"a request, and its answer":              {level: "Metadata", verb: "get", next: answer, code: http.StatusTeapot, want: []note{{received, 0, ""}, {complete, http.StatusTeapot, ""}}},
		"a watch, its beginning and its end":     {level: "Metadata", verb: "watch", next: answer, code: http.StatusTeapot, want: []note{{received, 0, ""}, {started, http.StatusTeapot, ""}, {complete, http.StatusTeapot, ""}}},
		"nothing where the policy wants nothing": {level: "None", verb: "get", next: answer, code: http.StatusTeapot},
		"a client that left before the answer":   {level: "Metadata", verb: "get", next: func(http.ResponseWriter, *http.Request) {}, code: http.StatusOK, want: []note{{received, 0, ""}, {complete, http.StatusOK, "Connection closed early"}}},
		"a panic goes on, and is on record":      {level: "Metadata", verb: "get", next: func(http.ResponseWriter, *http.Request) { panic("ouch") }, code: http.StatusOK, panics: true, want: []note{{received, 0, ""}, {auditinternal.StagePanic, http.StatusInternalServerError, "APIServer panic'd: ouch"}}},
		"no request that cannot be written down": {level: "Metadata", verb: "get", next: answer, full: true, code: http.StatusInternalServerError},
	} {
		t.Run(name, func(t *testing.T) {
			sink := &notebook{full: c.full}
			rules := policy.NewPolicyRuleEvaluator(&auditinternal.Policy{Rules: []auditinternal.PolicyRule{{Level: c.level}}})
			s := &Server{Config: Config{AuditLog: &audit.Log{PolicyRuleEvaluator: rules, Sink: sink}, Log: slog.New(slog.DiscardHandler)}}
			r := request(c.verb, "")
			r = r.WithContext(k8saudit.WithAuditContext(r.Context()))
			w, before := httptest.NewRecorder(), rejected(t)
			func() {
				defer func() {
					if p := recover(); (p != nil) != c.panics {
						t.Errorf("panicked with %v", p)
					}
				}()
				s.audit(c.next).ServeHTTP(w, r)
			}()
			if got := rejected(t) - before; c.full != (got == 1) {
				t.Errorf("apiserver_audit_requests_rejected_total has risen by %v", got)
			}
			if w.Code != c.code {
				t.Errorf("answered %d, want %d", w.Code, c.code)
			}
			if diff := cmp.Diff(c.want, sink.notes); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// rejected reads upstream's counter.
func rejected(t *testing.T) float64 {
	t.Helper()
	families, err := legacyregistry.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "apiserver_audit_requests_rejected_total" {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return 0
}

func TestAudit_NoLogNoStage(t *testing.T) {
	next := http.NewServeMux()
	if got := (&Server{}).audit(next); got != http.Handler(next) {
		t.Errorf("a stage stands before the next without anything to write to: %T", got)
	}
}
