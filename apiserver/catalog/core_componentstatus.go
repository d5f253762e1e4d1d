package catalog

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// componentStatusKind tells of the control plane's parts; deprecated since v1.19, and still what `kubectl get cs` shows.
func componentStatusKind() *Kind {
	return row[corev1.ComponentStatus, corev1.ComponentStatusList](corev1.SchemeGroupVersion, Kind{
		Resource:   "componentstatuses",
		ShortNames: []string{"cs"},
		MissingAs:  "componentstatus",
		Verbs:      []string{"get", "list"},
		Table: table(componentStatusCells,
			nameColumn(),
			column("Status", "string", "Status of the component conditions"),
			column("Message", "string", "Message of the component conditions"),
			column("Error", "string", "Error of the component conditions"),
		),
	})
}

func componentStatusCells(s *corev1.ComponentStatus, _ time.Time) []any {
	for _, c := range s.Conditions {
		if c.Type != corev1.ComponentHealthy {
			continue
		}
		status := "Unhealthy"
		if c.Status == corev1.ConditionTrue {
			status = "Healthy"
		}
		return []any{s.Name, status, c.Message, c.Error}
	}
	return []any{s.Name, "Unknown", "", ""}
}
