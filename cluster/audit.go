package cluster

import (
	"context"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"k8s.io/component-base/metrics/legacyregistry"

	"coracle/apiserver/audit"
)

// openAudit opens the audit log, if settings want one, and sees to it that it ends after the last request.
func (c *Cluster) openAudit() (*audit.Log, error) {
	log, err := audit.Open(c.config.Audit, c.config.Now)
	if log == nil || err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(context.Background())
	c.endAudit = end
	c.run(ctx, "audit", log)
	return log, nil
}

// auditMetrics are those that Kubernetes' audit code keeps, in a registry of its own.
func auditMetrics() prometheus.Gatherer {
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		families, err := legacyregistry.DefaultGatherer.Gather()
		return slices.DeleteFunc(families, func(f *dto.MetricFamily) bool {
			return !strings.HasPrefix(f.GetName(), "apiserver_audit_")
		}), err
	})
}
