package manifests

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestFlowControlLeadsSomewhere(t *testing.T) {
	levels, schemas, err := FlowControl()
	if err != nil {
		t.Fatal(err)
	}
	if len(levels) != 8 || len(schemas) != 11 {
		t.Errorf("%d levels and %d schemas, Kubernetes has 8 and 11", len(levels), len(schemas))
	}
	for _, schema := range schemas {
		var s struct {
			Spec struct {
				PriorityLevelConfiguration struct{ Name string }
			}
		}
		if err := json.Unmarshal(schema.JSON, &s); err != nil {
			t.Fatal(err)
		}
		level := s.Spec.PriorityLevelConfiguration.Name
		if !slices.ContainsFunc(levels, func(l Object) bool { return l.Name == level }) {
			t.Errorf("%s names the level %q, which is not there", schema.Name, level)
		}
	}
}
