package catalog

import (
	"fmt"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	metavalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Events through events.k8s.io are checked strictly, those of the core group as they always were.
// Source of the sentences and limits: k8s.io/kubernetes/pkg/apis/core/validation/events.go.

func validateNewEvent(e *corev1.Event) errorList {
	errs := validateAnyEvent(e, "reportingController")
	errs = append(errs, metavalidation.ValidateObjectMeta(&e.ObjectMeta, true, metavalidation.NameIsDNSSubdomain, field.NewPath("metadata"))...)
	errs = append(errs, ownFinalizers(e)...)
	errs = append(errs, validateSeries(e)...)
	if e.EventTime.IsZero() {
		errs = append(errs, field.Required(field.NewPath("eventTime"), ""))
	}
	if e.Type != corev1.EventTypeNormal && e.Type != corev1.EventTypeWarning {
		errs = append(errs, field.Invalid(field.NewPath("type"), "", "has invalid value: "+e.Type))
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
			errs = append(errs, field.Invalid(field.NewPath(old.name), "", "needs to be unset"))
		}
	}
	return errs
}

func validateSeries(e *corev1.Event) errorList {
	if e.Series == nil {
		return nil
	}
	var errs errorList
	if e.Series.Count < 2 {
		errs = append(errs, field.Invalid(field.NewPath("series.count"), "", "should be at least 2"))
	}
	if e.Series.LastObservedTime.IsZero() {
		errs = append(errs, field.Required(field.NewPath("series.lastObservedTime"), ""))
	}
	return errs
}

// validateAnyEvent checks what holds for events of both groups. An event of the old kind has no eventTime.
func validateAnyEvent(e *corev1.Event, controllerField string) errorList {
	about := e.InvolvedObject.Namespace
	elsewhere := errorList{field.Invalid(field.NewPath("involvedObject", "namespace"), about, "does not match event.namespace")}
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
	controller := field.NewPath(controllerField)
	if e.ReportingController == "" {
		errs = append(errs, field.Required(controller, ""))
	}
	errs = append(errs, invalidEach(controller, e.ReportingController, validation.IsQualifiedName(e.ReportingController))...)
	for _, text := range []struct{ name, value string }{
		{"reportingInstance", e.ReportingInstance}, {"action", e.Action}, {"reason", e.Reason},
	} {
		if text.value == "" {
			errs = append(errs, field.Required(field.NewPath(text.name), ""))
		}
		errs = append(errs, atMost(text.name, text.value, longest)...)
	}
	return append(errs, atMost("message", e.Message, longestNote)...)
}

func atMost(name, text string, longest int) errorList {
	if len(text) <= longest {
		return nil
	}
	return errorList{field.Invalid(field.NewPath(name), "", fmt.Sprintf("can have at most %v characters", longest))}
}

// validateEventChange: what was observed stays; only the series goes on.
func validateEventChange(e, old *corev1.Event) errorList {
	errs := validateAnyEvent(e, "reportingController")
	if !reflect.DeepEqual(e.Series, old.Series) {
		errs = append(errs, validateSeries(e)...)
	}
	errs = append(errs, unchanged(field.NewPath("involvedObject"), e.InvolvedObject, old.InvolvedObject)...)
	errs = append(errs, unchanged(field.NewPath("reason"), e.Reason, old.Reason)...)
	errs = append(errs, unchanged(field.NewPath("message"), e.Message, old.Message)...)
	errs = append(errs, unchanged(field.NewPath("source"), e.Source, old.Source)...)
	errs = append(errs, unchanged(field.NewPath("firstTimestamp"), e.FirstTimestamp, old.FirstTimestamp)...)
	errs = append(errs, unchanged(field.NewPath("lastTimestamp"), e.LastTimestamp, old.LastTimestamp)...)
	errs = append(errs, unchanged(field.NewPath("count"), e.Count, old.Count)...)
	errs = append(errs, unchanged(field.NewPath("reason"), e.Reason, old.Reason)...)
	errs = append(errs, unchanged(field.NewPath("type"), e.Type, old.Type)...)
	if !e.EventTime.Truncate(time.Microsecond).Equal(old.EventTime.Truncate(time.Microsecond)) {
		errs = append(errs, unchanged(field.NewPath("eventTime"), e.EventTime, old.EventTime)...)
	}
	errs = append(errs, unchanged(field.NewPath("action"), e.Action, old.Action)...)
	errs = append(errs, unchanged(field.NewPath("related"), e.Related, old.Related)...)
	errs = append(errs, unchanged(field.NewPath("reportingController"), e.ReportingController, old.ReportingController)...)
	return append(errs, unchanged(field.NewPath("reportingInstance"), e.ReportingInstance, old.ReportingInstance)...)
}
