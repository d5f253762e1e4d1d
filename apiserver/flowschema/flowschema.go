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
		if err := setDangling(f, dangling(f, levels, now())); err != nil {
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

// manager is who owns the condition.
const manager = "api-priority-and-fairness-config-consumer-v1"

// dangling is what the condition of a FlowSchema should say.
func dangling(f *flowcontrolv1.FlowSchema, levels Levels, now time.Time) flowcontrolv1.FlowSchemaCondition {
	level := f.Spec.PriorityLevelConfiguration.Name
	want := flowcontrolv1.FlowSchemaCondition{
		Type: flowcontrolv1.FlowSchemaConditionDangling, Status: flowcontrolv1.ConditionFalse, Reason: "Found",
		LastTransitionTime: metav1.NewTime(now.UTC().Truncate(time.Second)),
		Message:            fmt.Sprintf("This FlowSchema references the PriorityLevelConfiguration object named %q and it exists", level),
	}
	if levels.Lookup(flowcontrolv1.SchemeGroupVersion.WithKind("PriorityLevelConfiguration"), "", level) == nil {
		want.Status, want.Reason = flowcontrolv1.ConditionTrue, "NotFound"
		want.Message = fmt.Sprintf("This FlowSchema references the PriorityLevelConfiguration object named %q but there is no such object", level)
	}
	return want
}

// place is where the condition is among others, -1 for nowhere.
func place(conditions []flowcontrolv1.FlowSchemaCondition) int {
	for i := range conditions {
		if conditions[i].Type == flowcontrolv1.FlowSchemaConditionDangling {
			return i
		}
	}
	return -1
}

// says tells whether a condition says what it should, since whenever.
func says(c, want flowcontrolv1.FlowSchemaCondition) bool {
	c.LastTransitionTime = want.LastTransitionTime
	return c == want
}

// setDangling writes the condition and whose it is, where it says something new.
func setDangling(f *flowcontrolv1.FlowSchema, want flowcontrolv1.FlowSchemaCondition) error {
	conditions := slices.Clone(f.Status.Conditions) // those of an update are the old object's
	i := place(conditions)
	switch {
	case i < 0:
		conditions = append(conditions, want)
	case says(conditions[i], want):
		return nil
	default:
		conditions[i] = want
	}
	f.Status.Conditions = conditions
	owned := fieldowner.Fields{}
	if err := owned.Condition(string(want.Type)); err != nil {
		return err
	}
	at := want.LastTransitionTime
	return fieldowner.Claim(f, metav1.ManagedFieldsEntry{
		Manager: manager, Operation: metav1.ManagedFieldsOperationApply, Subresource: "status",
		APIVersion: flowcontrolv1.SchemeGroupVersion.String(), Time: &at,
	}, fieldowner.Fields{"f:status": fieldowner.Fields{"f:conditions": owned}})
}
