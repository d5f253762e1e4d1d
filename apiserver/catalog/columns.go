package catalog

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// table ties columns to a func that fills them from the kind's own Go type.
// Source of the columns, their order and descriptions: k8s.io/kubernetes/pkg/printers/internalversion/printers.go.
func table[T runtime.Object](cells func(obj T, now time.Time) []any, columns ...metav1.TableColumnDefinition) Table {
	return Table{
		Columns: columns,
		Cells:   func(obj runtime.Object, now time.Time) []any { return cells(obj.(T), now) },
	}
}

func column(name, typ, description string) metav1.TableColumnDefinition {
	return metav1.TableColumnDefinition{Name: name, Type: typ, Description: description}
}

// wide is a column that only `kubectl get -o wide` shows.
func wide(name, typ, description string) metav1.TableColumnDefinition {
	return metav1.TableColumnDefinition{Name: name, Type: typ, Description: description, Priority: 1}
}

func nameColumn() metav1.TableColumnDefinition {
	return metav1.TableColumnDefinition{Name: "Name", Type: "string", Format: "name", Description: metav1.ObjectMeta{}.SwaggerDoc()["name"]}
}

func ageColumn() metav1.TableColumnDefinition {
	return column("Age", "string", metav1.ObjectMeta{}.SwaggerDoc()["creationTimestamp"])
}

// containersColumns show what the pods of a workload are made of.
func containersColumns() (names, images metav1.TableColumnDefinition) {
	return wide("Containers", "string", "Names of each container in the template."),
		wide("Images", "string", "Images referenced by each container in the template.")
}

func containersCells(containers []corev1.Container) (names, images string) {
	n, i := make([]string, len(containers)), make([]string, len(containers))
	for at, c := range containers {
		n[at], i[at] = c.Name, c.Image
	}
	return strings.Join(n, ","), strings.Join(i, ",")
}

// orElse prints what a pointer points to, or the given text for nil.
func orElse[T any](p *T, text string) string {
	if p == nil {
		return text
	}
	return fmt.Sprint(*p)
}

// count is how a number travels in a table.
func count[N int | int32 | int64](n N) int64 { return int64(n) }

// value is what a pointer points to, or the zero value.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
