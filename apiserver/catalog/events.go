package catalog

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Events of both groups are one storage, in the form of the core group.
func eventsKinds() []*Kind {
	return []*Kind{
		row[eventsv1.Event, eventsv1.EventList](eventsv1.SchemeGroupVersion, Kind{
			Resource:     "events",
			StoredAs:     schema.GroupResource{Resource: "events"},
			ToStored:     func(obj runtime.Object) (runtime.Object, error) { return eventToCore(obj.(*eventsv1.Event)), nil },
			FromStored:   func(obj runtime.Object) (runtime.Object, error) { return eventFromCore(obj.(*corev1.Event)), nil },
			ShortNames:   []string{"ev"},
			Namespaced:   true,
			NoDependents: true,
			Strategy: Strategy{
				ChecksMetadata: true,
				Validate:       check(func(e *eventsv1.Event, root *field.Path) errorList { return validateNewEvent(eventToCore(e), root) }),
				Revalidate: checkChange(func(e, old *eventsv1.Event, root *field.Path) errorList {
					return validateEventChange(eventToCore(e), eventToCore(old), root)
				}),
				AllowCreateOnUpdate: true,
			},
			Table: Table{
				Columns: eventTable().Columns,
				Cells: func(obj runtime.Object, now time.Time) []any {
					return eventCells(eventToCore(obj.(*eventsv1.Event)), now)
				},
			},
			FieldNames: []string{
				"reason", "regarding.apiVersion", "regarding.fieldPath", "regarding.kind", "regarding.name", "regarding.namespace",
				"regarding.resourceVersion", "regarding.uid", "reportingController", "type",
			},
			Fields: fieldsOf(func(e *eventsv1.Event) fields.Set {
				set := fields.Set{}
				for name, v := range eventFields(eventToCore(e)) {
					switch rest, regarding := strings.CutPrefix(name, "involvedObject."); {
					case regarding:
						set["regarding."+rest] = v
					case name == "reportingComponent":
						set["reportingController"] = v
					case name != "source":
						set[name] = v
					}
				}
				return set
			}),
		}),
	}
}

func eventToCore(e *eventsv1.Event) *corev1.Event {
	in := e.DeepCopy()
	out := &corev1.Event{
		TypeMeta:            metav1.TypeMeta{Kind: "Event", APIVersion: "v1"},
		ObjectMeta:          in.ObjectMeta,
		InvolvedObject:      in.Regarding,
		Related:             in.Related,
		Reason:              in.Reason,
		Message:             in.Note,
		Type:                in.Type,
		Action:              in.Action,
		EventTime:           in.EventTime,
		ReportingController: in.ReportingController,
		ReportingInstance:   in.ReportingInstance,
		Source:              in.DeprecatedSource,
		FirstTimestamp:      in.DeprecatedFirstTimestamp,
		LastTimestamp:       in.DeprecatedLastTimestamp,
		Count:               in.DeprecatedCount,
	}
	if s := in.Series; s != nil {
		out.Series = &corev1.EventSeries{Count: s.Count, LastObservedTime: s.LastObservedTime}
	}
	return out
}

func eventFromCore(e *corev1.Event) *eventsv1.Event {
	in := e.DeepCopy()
	out := &eventsv1.Event{
		TypeMeta:                 metav1.TypeMeta{Kind: "Event", APIVersion: eventsv1.SchemeGroupVersion.String()},
		ObjectMeta:               in.ObjectMeta,
		Regarding:                in.InvolvedObject,
		Related:                  in.Related,
		Reason:                   in.Reason,
		Note:                     in.Message,
		Type:                     in.Type,
		Action:                   in.Action,
		EventTime:                in.EventTime,
		ReportingController:      in.ReportingController,
		ReportingInstance:        in.ReportingInstance,
		DeprecatedSource:         in.Source,
		DeprecatedFirstTimestamp: in.FirstTimestamp,
		DeprecatedLastTimestamp:  in.LastTimestamp,
		DeprecatedCount:          in.Count,
	}
	if s := in.Series; s != nil {
		out.Series = &eventsv1.EventSeries{Count: s.Count, LastObservedTime: s.LastObservedTime}
	}
	return out
}
