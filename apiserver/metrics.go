package apiserver

import (
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"coracle/apiserver/decision"
)

// metrics carry upstream's names where the meaning is the same.
// Source: k8s.io/apiserver/pkg/endpoints/metrics, .../filters/metrics.go.
type metrics struct {
	requests        *prometheus.CounterVec
	duration        *prometheus.HistogramVec
	sizes           *prometheus.HistogramVec
	longRunning     *prometheus.GaugeVec
	inFlight        *prometheus.GaugeVec
	watchEvents     *prometheus.CounterVec
	authentications *prometheus.CounterVec
	users           *prometheus.CounterVec
	decisions       *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	by := []string{"verb", "group", "version", "resource", "subresource", "scope", "component"}
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "apiserver_request_total",
			Help: "Requests answered, by verb, group, version, resource, scope, component and HTTP code.",
		}, append([]string{"dry_run", "code"}, by...)),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "apiserver_request_duration_seconds",
			Help:    "Time from a request's arrival to the end of its answer, long-running ones left out.",
			Buckets: []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60},
		}, append([]string{"dry_run"}, by...)),
		sizes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "apiserver_response_sizes",
			Help:    "Bytes of an answer.",
			Buckets: prometheus.ExponentialBuckets(1000, 10, 7),
		}, by),
		longRunning: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "apiserver_longrunning_requests",
			Help: "Watches and streams open now.",
		}, by),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "apiserver_current_inflight_requests",
			Help: "Requests being worked on now, long-running ones left out, by kind: readOnly or mutating.",
		}, []string{"request_kind"}),
		watchEvents: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "apiserver_watch_events_total",
			Help: "Events sent to watchers.",
		}, []string{"group", "version", "resource"}),
		authentications: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "authentication_attempts",
			Help: "Requests whose sender was looked for, by result.",
		}, []string{"result"}),
		users: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "authenticated_user_requests",
			Help: "Requests by user; only system users are told apart.",
		}, []string{"username"}),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "apiserver_authorization_decisions_total",
			Help: "Decisions of each authorizer: allowed or denied.",
		}, []string{"type", "name", "decision"}),
	}
	r.MustRegister(m.requests, m.duration, m.sizes, m.longRunning, m.inFlight, m.watchEvents, m.authentications, m.users, m.decisions)
	return m
}

func (m *metrics) authentication(result, user string) {
	m.authentications.WithLabelValues(result).Inc()
	if result != "success" {
		return
	}
	// A label per person would let anybody who can make up names fill the memory.
	if !strings.HasPrefix(user, "system:") || strings.HasPrefix(user, "system:serviceaccount:") || strings.HasPrefix(user, "system:node:") || len(user) > 64 {
		user = "other"
	}
	m.users.WithLabelValues(user).Inc()
}

// observe counts a finished request.
func (m *metrics) observe(rec *decision.Record, w *response) {
	verb := metricVerb(rec.Request.Verb)
	by := m.labels(rec)
	m.requests.WithLabelValues(append([]string{"", strconv.Itoa(rec.Code)}, by...)...).Inc()
	if verb == "WATCH" || verb == "CONNECT" {
		return
	}
	m.duration.WithLabelValues(append([]string{""}, by...)...).Observe(rec.Took.Seconds())
	if verb == "GET" || verb == "LIST" {
		m.sizes.WithLabelValues(by...).Observe(float64(w.bytes))
	}
}

// labels leave out whatever a client can make up: of resources that are not served nothing is told.
func (m *metrics) labels(rec *decision.Record) []string {
	q := rec.Request
	if !q.Served {
		return []string{metricVerb(q.Verb), "", "", "", "", "", "apiserver"}
	}
	scope := "cluster"
	switch {
	case q.Name != "":
		scope = "resource"
	case q.Namespace != "":
		scope = "namespace"
	}
	return []string{metricVerb(q.Verb), q.APIGroup, q.APIVersion, q.ResourceOf, q.Subresource, scope, "apiserver"}
}

func metricVerb(verb string) string {
	switch verb {
	case "get", "list", "watch", "delete", "deletecollection", "patch":
		return strings.ToUpper(verb)
	case "create", "post":
		return "POST"
	case "update", "put":
		return "PUT"
	case "head", "options":
		return "GET"
	case "connect":
		return "CONNECT"
	}
	return "other"
}

// watching counts an open watch; the function returned ends it.
func (m *metrics) watching(rec *decision.Record) func() {
	g := m.longRunning.WithLabelValues(m.labels(rec)...)
	g.Inc()
	return g.Dec
}

func (m *metrics) watched(rec *decision.Record) {
	q := rec.Request
	m.watchEvents.WithLabelValues(q.APIGroup, q.APIVersion, q.ResourceOf).Inc()
}
