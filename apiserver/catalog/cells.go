package catalog

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
)

// Columns are what a table of a kind shows: its own, or NAME and CREATED AT where it has none of its own.
// Source: k8s.io/apiserver/pkg/registry/rest/table.go.
func Columns(k *Kind) []metav1.TableColumnDefinition {
	if k.Table.Columns != nil {
		return k.Table.Columns
	}
	doc := metav1.ObjectMeta{}.SwaggerDoc()
	return []metav1.TableColumnDefinition{
		{Name: "Name", Type: "string", Format: "name", Description: doc["name"]},
		{Name: "Created At", Type: "date", Description: doc["creationTimestamp"]},
	}
}

// Cells are one object's row, as many as Columns.
func Cells(k *Kind, obj runtime.Object, now time.Time) []any {
	if k.Table.Cells != nil {
		return k.Table.Cells(obj, now)
	}
	m, err := meta.Accessor(obj)
	if err != nil {
		return []any{"<unknown>", "<unknown>"}
	}
	return []any{m.GetName(), m.GetCreationTimestamp().UTC().Format(time.RFC3339)}
}

// Age is how long ago something was, as kubectl prints it.
func Age(t metav1.Time, now time.Time) string {
	if t.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(now.Sub(t.Time))
}
