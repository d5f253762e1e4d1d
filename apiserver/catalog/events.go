package catalog

import (
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func eventsKinds() []*Kind {
	gv := eventsv1.SchemeGroupVersion
	return []*Kind{
		row[eventsv1.Event, eventsv1.EventList](gv, Kind{
			Resource:   "events",
			StoredAs:   schema.GroupResource{Resource: "events"},
			ShortNames: []string{"ev"},
			Namespaced: true,
		}),
	}
}
