package catalog

import (
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ScaleKind is the row of what the subresource scale answers with: it is no resource of its own, and shown in a table like one.
// That of custom kinds says otherwise what its columns are.
func ScaleKind(custom bool) *Kind {
	columns := []metav1.TableColumnDefinition{
		column("Name", "string", metav1.ObjectMeta{}.SwaggerDoc()["name"]),
		column("Desired", "integer", autoscalingv1.ScaleSpec{}.SwaggerDoc()["replicas"]),
		column("Available", "integer", autoscalingv1.ScaleStatus{}.SwaggerDoc()["replicas"]),
		ageColumn(),
	}
	if custom {
		columns[0] = nameColumn()
		columns[1].Description, columns[2].Description = "Number of desired replicas", "Number of actual replicas"
		columns[3].Type = "date"
	}
	return row[autoscalingv1.Scale, autoscalingv1.Scale](autoscalingv1.SchemeGroupVersion, Kind{
		Resource:   "scales",
		Namespaced: true,
		Table: table(func(s *autoscalingv1.Scale, now time.Time) []any {
			return []any{s.Name, count(s.Spec.Replicas), count(s.Status.Replicas), Age(s.CreationTimestamp, now)}
		}, columns...),
	})
}
