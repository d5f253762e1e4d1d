package flowschema

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// level is there, or not.
type level bool

func (l level) Lookup(schema.GroupVersionKind, string, string) runtime.Object {
	if l {
		return &flowcontrolv1.PriorityLevelConfiguration{}
	}
	return nil
}

func TestDangling(t *testing.T) {
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	f := &flowcontrolv1.FlowSchema{}
	f.Spec.PriorityLevelConfiguration.Name = "high"
	f.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
	for _, step := range []struct {
		name   string
		found  bool
		after  time.Duration
		status flowcontrolv1.ConditionStatus
		reason string
		since  time.Duration
	}{
		{"there is no such level", false, 0, "True", "NotFound", 0},
		{"there is still none", false, time.Hour, "True", "NotFound", 0},
		{"there is one", true, 2 * time.Hour, "False", "Found", 2 * time.Hour},
	} {
		t.Run(step.name, func(t *testing.T) {
			if err := setDangling(f, dangling(f, level(step.found), now.Add(step.after))); err != nil {
				t.Fatal(err)
			}
			message := `This FlowSchema references the PriorityLevelConfiguration object named "high" `
			if step.found {
				message += "and it exists"
			} else {
				message += "but there is no such object"
			}
			want := []flowcontrolv1.FlowSchemaCondition{{
				Type: "Dangling", Status: step.status, Reason: step.reason, Message: message, LastTransitionTime: metav1.NewTime(now.Add(step.since)),
			}}
			if diff := cmp.Diff(want, f.Status.Conditions); diff != "" {
				t.Error(diff)
			}
			if len(f.ManagedFields) != 2 || f.ManagedFields[0].Operation != metav1.ManagedFieldsOperationApply {
				t.Errorf("managed by %v", f.ManagedFields)
			}
		})
	}
}
