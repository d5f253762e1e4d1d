package flowschema

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coracle/apiserver/catalog"
	"coracle/apiserver/fieldowner"
)

// Levels finds a PriorityLevelConfiguration, nil when there is none.
type Levels interface {
	Lookup(gvk schema.GroupVersionKind, namespace, name string) runtime.Object
}

// Serve gives the catalog's row of FlowSchemas what only a look at the levels can tell. It must be called before the first
// request.
func Serve(c *catalog.Catalog, levels Levels, now func() time.Time, log *slog.Logger) {
	st := &c.ByKind(flowcontrolv1.SchemeGroupVersion.WithKind("FlowSchema")).Strategy
	create, update := st.PrepareForCreate, st.PrepareForUpdate
	report := func(obj runtime.Object) {
		f := obj.(*flowcontrolv1.FlowSchema)
		level := f.Spec.PriorityLevelConfiguration.Name
		there := levels.Lookup(flowcontrolv1.SchemeGroupVersion.WithKind("PriorityLevelConfiguration"), "", level) != nil
		if err := setDangling(f, there, now()); err != nil {
			log.Error("the owner of a FlowSchema's condition is not noted", "flowschema", f.Name, "error", err)
		}
	}
	st.PrepareForCreate = func(obj runtime.Object) {
		if create != nil {
			create(obj)
		}
		report(obj)
	}
	st.PrepareForUpdate = func(obj, old runtime.Object) {
		if update != nil {
			update(obj, old)
		}
		report(obj)
	}
}

// setDangling writes the condition and whose it is, where it says something new.
func setDangling(f *flowcontrolv1.FlowSchema, found bool, now time.Time) error {
	level := f.Spec.PriorityLevelConfiguration.Name
	at := metav1.NewTime(now.UTC().Truncate(time.Second))
	want := flowcontrolv1.FlowSchemaCondition{
		Type: flowcontrolv1.FlowSchemaConditionDangling, Status: flowcontrolv1.ConditionFalse, Reason: "Found", LastTransitionTime: at,
		Message: fmt.Sprintf("This FlowSchema references the PriorityLevelConfiguration object named %q and it exists", level),
	}
	if !found {
		want.Status, want.Reason = flowcontrolv1.ConditionTrue, "NotFound"
		want.Message = fmt.Sprintf("This FlowSchema references the PriorityLevelConfiguration object named %q but there is no such object", level)
	}
	conditions := slices.Clone(f.Status.Conditions) // those of an update are the old object's
	i := slices.IndexFunc(conditions, func(c flowcontrolv1.FlowSchemaCondition) bool { return c.Type == want.Type })
	switch {
	case i < 0:
		conditions = append(conditions, want)
	case conditions[i].Status == want.Status && conditions[i].Reason == want.Reason && conditions[i].Message == want.Message:
		return nil
	default:
		conditions[i] = want
	}
	f.Status.Conditions = conditions
	owned := fieldowner.Fields{}
	if err := owned.Condition(string(want.Type)); err != nil {
		return err
	}
	return fieldowner.Claim(f, metav1.ManagedFieldsEntry{
		Manager: "api-priority-and-fairness-config-consumer-v1", Operation: metav1.ManagedFieldsOperationApply, Subresource: "status",
		APIVersion: flowcontrolv1.SchemeGroupVersion.String(), Time: &at,
	}, fieldowner.Fields{"f:status": fieldowner.Fields{"f:conditions": owned}})
}
