package catalog

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation/path"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// eventKind is the older of the two forms in which events are told, and the one that is stored.
func eventKind() *Kind {
	return row[corev1.Event, corev1.EventList](corev1.SchemeGroupVersion, Kind{
		Resource:     "events",
		ShortNames:   []string{"ev"},
		Namespaced:   true,
		NoDependents: true,
		Strategy: Strategy{
			ChecksMetadata: true,
			ValidateName:   path.ValidatePathSegmentName,
			Validate: check(func(e *corev1.Event, root *field.Path) errorList {
				return validateAnyEvent(e, "reportingComponent", root)
			}),
			AllowCreateOnUpdate: true,
		},
		Table:      eventTable(),
		FieldNames: eventFieldNames(),
		Fields:     fieldsOf(eventFields),
	})
}

func eventTable() Table {
	docs := corev1.Event{}.SwaggerDoc()
	name := wide("Name", "string", metav1.ObjectMeta{}.SwaggerDoc()["name"])
	name.Format = "name"
	return table(eventCells,
		column("Last Seen", "string", docs["lastTimestamp"]),
		column("Type", "string", docs["type"]),
		column("Reason", "string", docs["reason"]),
		column("Object", "string", docs["involvedObject"]),
		wide("Subobject", "string", corev1.ObjectReference{}.SwaggerDoc()["fieldPath"]),
		wide("Source", "string", docs["source"]),
		column("Message", "string", docs["message"]),
		wide("First Seen", "string", docs["firstTimestamp"]),
		wide("Count", "string", docs["count"]),
		name,
	)
}

func eventCells(e *corev1.Event, now time.Time) []any {
	micro := func(t metav1.MicroTime) string {
		if t.IsZero() {
			return "<unknown>"
		}
		return duration.HumanDuration(now.Sub(t.Time))
	}
	first := Age(e.FirstTimestamp, now)
	if e.FirstTimestamp.IsZero() {
		first = micro(e.EventTime)
	}
	last := Age(e.LastTimestamp, now)
	if e.LastTimestamp.IsZero() {
		last = first
	}
	times := e.Count
	switch {
	case e.Series != nil:
		last, times = micro(e.Series.LastObservedTime), e.Series.Count
	case times == 0: // those of the newer form are told once
		times = 1
	}
	object := strings.ToLower(e.InvolvedObject.Kind)
	if e.InvolvedObject.Name != "" {
		object += "/" + e.InvolvedObject.Name
	}
	return []any{
		last, e.Type, e.Reason, object, e.InvolvedObject.FieldPath, eventSource(e),
		strings.TrimSpace(e.Message), first, count(times), e.Name,
	}
}

func eventSource(e *corev1.Event) string {
	component, host := e.Source.Component, e.Source.Host
	if component == "" {
		component = e.ReportingController
	}
	if host == "" {
		host = e.ReportingInstance
	}
	if host == "" {
		return component
	}
	return component + ", " + host
}

func eventFieldNames() []string {
	return []string{
		"involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
		"involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath",
		"reason", "reportingComponent", "source", "type",
	}
}

func eventFields(e *corev1.Event) fields.Set {
	source := e.Source.Component
	if source == "" {
		source = e.ReportingController
	}
	o := e.InvolvedObject
	return fields.Set{
		"involvedObject.kind": o.Kind, "involvedObject.namespace": o.Namespace, "involvedObject.name": o.Name,
		"involvedObject.uid": string(o.UID), "involvedObject.apiVersion": o.APIVersion,
		"involvedObject.resourceVersion": o.ResourceVersion, "involvedObject.fieldPath": o.FieldPath,
		"reason": e.Reason, "reportingComponent": e.ReportingController, "source": source, "type": e.Type,
	}
}
