package catalog

import (
	"fmt"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	metavalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Events through events.k8s.io are checked strictly, those of the core group as they always were.
// Source of the sentences and limits: k8s.io/kubernetes/pkg/apis/core/validation/events.go.

func validateNewEvent(e *corev1.Event, root *field.Path) errorList {
	errs := validateAnyEvent(e, "reportingController", root)
	errs = append(errs, metavalidation.ValidateObjectMeta(&e.ObjectMeta, true, metavalidation.NameIsDNSSubdomain, child(root, "metadata"))...)
	errs = append(errs, ownFinalizers(e)...)
	errs = append(errs, validateSeries(e, root)...)
	if e.EventTime.IsZero() {
		errs = append(errs, field.Required(child(root, "eventTime"), ""))
	}
	if e.Type != corev1.EventTypeNormal && e.Type != corev1.EventTypeWarning {
		errs = append(errs, field.Invalid(child(root, "type"), "", "has invalid value: "+e.Type))
	}
	for _, old := range []struct {
		name string
		set  bool
	}{
		{"firstTimestamp", !e.FirstTimestamp.IsZero()},
		{"lastTimestamp", !e.LastTimestamp.IsZero()},
		{"count", e.Count != 0},
		{"source", e.Source != corev1.EventSource{}},
	} {
		if old.set {
			errs = append(errs, field.Invalid(child(root, old.name), "", "needs to be unset"))
		}
	}
	return errs
}

func validateSeries(e *corev1.Event, root *field.Path) errorList {
	if e.Series == nil {
		return nil
	}
	var errs errorList
	if e.Series.Count < 2 {
		errs = append(errs, field.Invalid(child(root, "series.count"), "", "should be at least 2"))
	}
	if e.Series.LastObservedTime.IsZero() {
		errs = append(errs, field.Required(child(root, "series.lastObservedTime"), ""))
	}
	return errs
}

// validateAnyEvent checks what holds for events of both groups. An event of the old kind has no eventTime.
func validateAnyEvent(e *corev1.Event, controllerField string, root *field.Path) errorList {
	about := e.InvolvedObject.Namespace
	elsewhere := errorList{field.Invalid(child(root, "involvedObject", "namespace"), about, "does not match event.namespace")}
	if e.EventTime.IsZero() {
		clusterWide := about == "" && (e.Namespace == "" || e.Namespace == metav1.NamespaceDefault)
		if about != e.Namespace && !clusterWide {
			return elsewhere
		}
		return nil
	}
	const longest, longestNote = 128, 1024
	var errs errorList
	if about == "" && e.Namespace != metav1.NamespaceDefault && e.Namespace != metav1.NamespaceSystem {
		errs = elsewhere
	}
	controller := child(root, controllerField)
	if e.ReportingController == "" {
		errs = append(errs, field.Required(controller, ""))
	}
	errs = append(errs, invalidEach(controller, e.ReportingController, isQualifiedName(e.ReportingController))...)
	for _, text := range []struct{ name, value string }{
		{"reportingInstance", e.ReportingInstance}, {"action", e.Action}, {"reason", e.Reason},
	} {
		if text.value == "" {
			errs = append(errs, field.Required(child(root, text.name), ""))
		}
		errs = append(errs, atMost(text.name, text.value, longest, root)...)
	}
	return append(errs, atMost("message", e.Message, longestNote, root)...)
}

func atMost(name, text string, longest int, root *field.Path) errorList {
	if len(text) <= longest {
		return nil
	}
	return errorList{field.Invalid(child(root, name), "", fmt.Sprintf("can have at most %v characters", longest))}
}

// validateEventChange: what was observed stays; only the series goes on.
func validateEventChange(e, old *corev1.Event, root *field.Path) errorList {
	errs := validateAnyEvent(e, "reportingController", root)
	if !reflect.DeepEqual(e.Series, old.Series) {
		errs = append(errs, validateSeries(e, root)...)
	}
	errs = append(errs, unchanged(child(root, "involvedObject"), e.InvolvedObject, old.InvolvedObject)...)
	errs = append(errs, unchanged(child(root, "reason"), e.Reason, old.Reason)...)
	errs = append(errs, unchanged(child(root, "message"), e.Message, old.Message)...)
	errs = append(errs, unchanged(child(root, "source"), e.Source, old.Source)...)
	errs = append(errs, unchanged(child(root, "firstTimestamp"), e.FirstTimestamp, old.FirstTimestamp)...)
	errs = append(errs, unchanged(child(root, "lastTimestamp"), e.LastTimestamp, old.LastTimestamp)...)
	errs = append(errs, unchanged(child(root, "count"), e.Count, old.Count)...)
	errs = append(errs, unchanged(child(root, "reason"), e.Reason, old.Reason)...)
	errs = append(errs, unchanged(child(root, "type"), e.Type, old.Type)...)
	if !e.EventTime.Truncate(time.Microsecond).Equal(old.EventTime.Truncate(time.Microsecond)) {
		errs = append(errs, unchanged(child(root, "eventTime"), e.EventTime, old.EventTime)...)
	}
	errs = append(errs, unchanged(child(root, "action"), e.Action, old.Action)...)
	errs = append(errs, unchanged(child(root, "related"), e.Related, old.Related)...)
	errs = append(errs, unchanged(child(root, "reportingController"), e.ReportingController, old.ReportingController)...)
	return append(errs, unchanged(child(root, "reportingInstance"), e.ReportingInstance, old.ReportingInstance)...)
}
