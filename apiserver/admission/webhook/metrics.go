package webhook

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"coracle/apiserver/admission"
)

// Metrics carry upstream's names.
// Source: k8s.io/apiserver/pkg/admission/metrics.
type Metrics struct {
	duration *prometheus.HistogramVec
	rejected *prometheus.CounterVec
	failOpen *prometheus.CounterVec
	requests *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	const prefix = "apiserver_admission_webhook_"
	m := &Metrics{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: prefix + "admission_duration_seconds", Help: "How long an admission webhook took, by name, type (validating or admit), operation, and whether the request was rejected.",
			Buckets: []float64{0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 10, 25},
		}, []string{"name", "type", "operation", "rejected"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "rejection_count", Help: "Requests that an admission webhook rejected, or that were rejected because it failed (calling_webhook_error, apiserver_internal_error).",
		}, []string{"name", "type", "operation", "error_type", "rejection_code"}),
		failOpen: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "fail_open_count", Help: "Requests that went on although an admission webhook failed.",
		}, []string{"name", "type"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "request_total", Help: "Requests that an admission webhook was asked about.",
		}, []string{"name", "type", "operation", "code", "rejected"}),
	}
	r.MustRegister(m.duration, m.rejected, m.failOpen, m.requests)
	return m
}

// observe counts one call.
func (m *Metrics) observe(kind string, h *hook, op admission.Operation, took time.Duration, o outcome) {
	code := min(o.code, 600) // a webhook says what it likes
	m.requests.WithLabelValues(h.Name, kind, string(op), strconv.Itoa(code), strconv.FormatBool(o.refused != nil)).Inc()
	m.duration.WithLabelValues(h.Name, kind, string(op), strconv.FormatBool(o.refused != nil)).Observe(took.Seconds())
	if o.refused != nil {
		m.rejected.WithLabelValues(h.Name, kind, string(op), o.because, strconv.Itoa(code)).Inc()
	}
	if o.said == ignored {
		m.failOpen.WithLabelValues(h.Name, kind).Inc()
	}
}
