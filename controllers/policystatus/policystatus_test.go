package policystatus_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coracle/controllers/looptest"
	"coracle/controllers/policystatus"
)

// server has policies from the world, schemas from a file, and discovery that may fail.
type server struct {
	*looptest.World
	schemas string

	mu      sync.Mutex
	fail    error
	applied []string
}

func (s *server) Get(ctx context.Context, path string) ([]byte, error) {
	if path == "/openapi/v3/apis/example.com/v1" {
		return []byte(s.schemas), nil
	}
	name, ok := strings.CutPrefix(path, "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/")
	if !ok {
		return nil, apierrors.NewNotFound(schema.GroupResource{}, path)
	}
	policy, err := s.Client.AdmissionregistrationV1().ValidatingAdmissionPolicies().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return json.Marshal(policy)
}

func (s *server) Apply(ctx context.Context, path, manager string, body []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.applied = append(s.applied, manager+" "+path)
	var with admissionregistrationv1.ValidatingAdmissionPolicy
	if err := json.Unmarshal(body, &with); err != nil {
		return err
	}
	all := s.Client.AdmissionregistrationV1().ValidatingAdmissionPolicies()
	policy, err := all.Get(ctx, with.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	policy.Status = with.Status
	_, err = all.UpdateStatus(ctx, policy, metav1.UpdateOptions{})
	return err
}

func (s *server) ServerGroupsAndResources() ([]*metav1.APIGroup, []*metav1.APIResourceList, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return nil, nil, s.fail
	}
	return nil, []*metav1.APIResourceList{
		{GroupVersion: "v1", APIResources: []metav1.APIResource{{Name: "bare", SingularName: "bare", Kind: "Bare"}}},
		{GroupVersion: "example.com/v1", APIResources: []metav1.APIResource{
			{Name: "boats", SingularName: "boat", Kind: "Boat"}, {Name: "boats/status", Kind: "Boat"},
			{Name: "harbours", SingularName: "harbour", Kind: "Harbour"},
		}},
		{GroupVersion: "example.com/v2", APIResources: []metav1.APIResource{{Name: "boats", SingularName: "boat", Kind: "Boat"}}},
	}, nil
}

// openapi is as much of a document as describes a boat, which has parts with parts, and a harbour.
const openapi = `{"components": {"schemas": {
	"Meta": {"type": "object", "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}, "labels": {"type": "object", "additionalProperties": {"type": "string"}}}},
	"Part": {"type": "object", "properties": {"name": {"type": "string"}, "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Part"}}}},
	"Boat": {"type": "object", "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Boat"}], "properties": {
		"kind": {"type": "string"}, "apiVersion": {"type": "string"},
		"metadata": {"allOf": [{"$ref": "#/components/schemas/Meta"}], "default": {}},
		"spec": {"type": "object", "properties": {"crew": {"type": "integer"}, "berth": {"format": "int-or-string"},
			"built": {"type": "string", "format": "date-time"}, "hull": {"$ref": "#/components/schemas/Part"}}}}},
	"Harbour": {"type": "object", "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Harbour"}], "properties": {"depth": {"type": "number"}}},
	"Dangling": {"type": "object", "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Dangling"}], "properties": {"x": {"$ref": "#/components/schemas/Nothing"}}}
}}}`

func rule(group, version string, resources ...string) admissionregistrationv1.NamedRuleWithOperations {
	r := admissionregistrationv1.NamedRuleWithOperations{}
	r.APIGroups, r.APIVersions, r.Resources = []string{group}, []string{version}, resources
	return r
}

func policy(rules []admissionregistrationv1.NamedRuleWithOperations, expressions ...string) *admissionregistrationv1.ValidatingAdmissionPolicy {
	p := &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "p"}}
	p.Spec.MatchConstraints = &admissionregistrationv1.MatchResources{ResourceRules: rules}
	for _, e := range expressions {
		p.Spec.Validations = append(p.Spec.Validations, admissionregistrationv1.Validation{Expression: e})
	}
	return p
}

// status is what a policy's comes to, the places where warnings point at left out.
func status(t *testing.T, w *looptest.World) (observed int64, warnings []string) {
	t.Helper()
	p, err := w.Client.AdmissionregistrationV1().ValidatingAdmissionPolicies().Get(w.Context(), "p", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Status.TypeChecking != nil {
		for _, w := range p.Status.TypeChecking.ExpressionWarnings {
			var lines []string
			for line := range strings.Lines(w.Warning) {
				if !strings.HasPrefix(line, " | ") && line != "\n" {
					lines = append(lines, strings.TrimSpace(line))
				}
			}
			warnings = append(warnings, w.FieldRef+": "+strings.Join(lines, "; "))
		}
	}
	return p.Status.ObservedGeneration, warnings
}

// The sentences are those of CEL, in the form that upstream's controller gives them.
func TestWarnings(t *testing.T) {
	boats := []admissionregistrationv1.NamedRuleWithOperations{rule("example.com", "v1", "boats")}
	const boat = "example.com/v1, Kind=Boat: ERROR: <input>:"
	with := func(p *admissionregistrationv1.ValidatingAdmissionPolicy, change func(*admissionregistrationv1.ValidatingAdmissionPolicySpec)) *admissionregistrationv1.ValidatingAdmissionPolicy {
		change(&p.Spec)
		return p
	}
	for name, test := range map[string]struct {
		policy *admissionregistrationv1.ValidatingAdmissionPolicy
		want   []string
	}{
		"nothing is wrong": {policy(boats, "object.spec.crew > 1", "object.metadata.labels['a'] == 'b'", "object.spec.built > timestamp('2020-01-01T00:00:00Z')"), nil},
		"a field that is not there, and one of another type": {
			policy(boats, "object.spec.crew > 1", "object.spec.crw > 1", "object.spec.crew > 'a' && object.spec.built == 1"),
			[]string{
				"spec.validations[1].expression: " + boat + "1:12: undefined field 'crw'",
				"spec.validations[2].expression: " + boat + "1:18: found no matching overload for '_>_' applied to '(int, string)'; ERROR: <input>:1:45: found no matching overload for '_==_' applied to '(timestamp, int)'",
			},
		},
		"a message": {with(policy(boats, "true"), func(s *admissionregistrationv1.ValidatingAdmissionPolicySpec) {
			s.Validations[0].MessageExpression = "'crew: ' + object.spec.crew"
		}), []string{"spec.validations[0].messageExpression: " + boat + "1:10: found no matching overload for '_+_' applied to '(string, int)'"}},
		"the object before": {policy(boats, "oldObject.x"), []string{"spec.validations[0].expression: " + boat + "1:10: undefined field 'x'"}},
		"a number or a string may be either, and parts are known once": {
			policy(boats, "object.spec.berth == 1", "object.spec.hull.parts[0].name == 1", "object.spec.hull.name == 1"),
			[]string{
				"spec.validations[1].expression: " + boat + "1:26: undefined field 'name'",
				"spec.validations[2].expression: " + boat + "1:23: found no matching overload for '_==_' applied to '(string, int)'",
			},
		},
		"several kinds are told in their order": {
			policy([]admissionregistrationv1.NamedRuleWithOperations{rule("example.com", "v1", "harbour", "Boats")}, "object.spec.crew > 1", "object.no"),
			[]string{
				"spec.validations[0].expression: example.com/v1, Kind=Harbour: ERROR: <input>:1:7: undefined field 'spec'",
				"spec.validations[1].expression: " + boat + "1:7: undefined field 'no'; example.com/v1, Kind=Harbour: ERROR: <input>:1:7: undefined field 'no'",
			},
		},
		"the core group is any": {policy([]admissionregistrationv1.NamedRuleWithOperations{rule("", "v1", "boats")}, "object.no"), []string{"spec.validations[0].expression: " + boat + "1:7: undefined field 'no'"}},
		"what is wrong with a variable is told where it is used": {with(policy(boats, "variables.n > 'a'", "variables.bad == 1", "variables.missing"), func(s *admissionregistrationv1.ValidatingAdmissionPolicySpec) {
			s.Variables = []admissionregistrationv1.Variable{{Name: "n", Expression: "object.spec.crew"}, {Name: "bad", Expression: "object.no"}}
		}), []string{
			"spec.validations[0].expression: " + boat + "1:13: found no matching overload for '_>_' applied to '(int, string)'",
			"spec.validations[2].expression: " + boat + "1:10: undefined field 'missing'",
		}},
		"a parameter of the same kind": {with(policy(boats, "params.spec.no", "params.spec == object.spec"), func(s *admissionregistrationv1.ValidatingAdmissionPolicySpec) {
			s.ParamKind = &admissionregistrationv1.ParamKind{APIVersion: "example.com/v1", Kind: "Boat"}
		}), []string{
			"spec.validations[0].expression: " + boat + "1:12: undefined field 'no'",
			"spec.validations[1].expression: " + boat + "1:13: found no matching overload for '_==_' applied to '(Boat2.spec, Boat1.spec)'",
		}},
		"a parameter of a kind that is not known may be anything": {with(policy(boats, "params.no == 1"), func(s *admissionregistrationv1.ValidatingAdmissionPolicySpec) {
			s.ParamKind = &admissionregistrationv1.ParamKind{APIVersion: "example.com/v9", Kind: "Boat"}
		}), nil},
		"there is no parameter":           {policy(boats, "params.no == 1"), []string{"spec.validations[0].expression: " + boat + "1:1: undeclared reference to 'params' (in container '')"}},
		"stars and subresources are left": {policy([]admissionregistrationv1.NamedRuleWithOperations{rule("*", "v1", "boats"), rule("example.com", "*", "boats"), rule("example.com", "v1", "*", "boats/status", "*/status")}, "object.no"), nil},
		"not served":                      {policy([]admissionregistrationv1.NamedRuleWithOperations{rule("example.com", "v3", "boats"), rule("example.org", "v1", "boats")}, "object.no"), nil},
		"no schemas are published":        {policy([]admissionregistrationv1.NamedRuleWithOperations{rule("", "v1", "bare"), rule("example.com", "v2", "boats")}, "object.no"), nil},
		"no constraints":                  {with(policy(nil, "object.no"), func(s *admissionregistrationv1.ValidatingAdmissionPolicySpec) { s.MatchConstraints = nil }), nil},
	} {
		t.Run(name, func(t *testing.T) {
			looptest.Run(t, []runtime.Object{test.policy}, func(t *testing.T, w *looptest.World) {
				s := &server{World: w, schemas: openapi}
				w.Start(policystatus.New(w.Metadata(), s, s, w.Log))
				observed, got := status(t, w)
				if observed != 1 {
					t.Errorf("generation %d is observed, want 1", observed)
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			})
		})
	}
}

func TestController(t *testing.T) {
	boats := []admissionregistrationv1.NamedRuleWithOperations{rule("example.com", "v1", "boats", "danglings")}
	t.Run("each generation is looked at once, and a status that somebody wrote is left alone", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{policy(boats, "object.no")}, func(t *testing.T, w *looptest.World) {
			s := &server{World: w, schemas: openapi}
			w.Start(policystatus.New(w.Metadata(), s, s, w.Log))
			all := w.Client.AdmissionregistrationV1().ValidatingAdmissionPolicies()
			p, err := all.Get(w.Context(), "p", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			p.Status.Conditions = []metav1.Condition{{Type: "Seen", Status: metav1.ConditionTrue}}
			if p, err = all.UpdateStatus(w.Context(), p, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			w.Settle()
			p.Spec.Validations[0].Expression = "object.spec.crew > 1"
			if _, err = all.Update(w.Context(), p, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			w.Settle()
			if observed, got := status(t, w); observed != 2 || got != nil {
				t.Errorf("generation %d is observed, with %q, want 2 with nothing", observed, got)
			}
			const once = "validatingadmissionpolicy-status /apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/p/status"
			if diff := cmp.Diff([]string{once, once}, s.applied); diff != "" {
				t.Errorf("applied (-want +got)\n%s", diff)
			}
		})
	})
	t.Run("while it is not known what is served nothing is said", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{policy(boats, "object.no")}, func(t *testing.T, w *looptest.World) {
			s := &server{World: w, schemas: openapi, fail: errors.New("discovery is down")}
			w.Start(policystatus.New(w.Metadata(), s, s, w.Log))
			if observed, _ := status(t, w); observed != 0 {
				t.Errorf("generation %d is observed without a look", observed)
			}
			s.mu.Lock()
			s.fail = nil
			s.mu.Unlock()
			w.Advance(time.Minute)
			if observed, got := status(t, w); observed != 1 || len(got) != 1 {
				t.Errorf("generation %d is observed, with %q, want 1 with a warning", observed, got)
			}
		})
	})
	// An aggregated server answers what it likes.
	for name, document := range map[string]string{
		"no document":                   "<html>",
		"nothing":                       "",
		"a schema that is itself":       `{"components": {"schemas": {"Boat": {"$ref": "#/components/schemas/Boat", "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Boat"}]}}}}`,
		"schemas of one another":        `{"components": {"schemas": {"A": {"$ref": "#/components/schemas/B"}, "B": {"$ref": "#/components/schemas/A"}, "Boat": {"type": "object", "properties": {"a": {"$ref": "#/components/schemas/A"}}, "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Boat"}]}}}}`,
		"a reference to nothing":        `{"components": {"schemas": {"Boat": {"type": "object", "properties": {"a": {"$ref": "#/components/schemas/B"}}, "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Boat"}]}}}}`,
		"a kind that is a number":       `{"components": {"schemas": {"Boat": {"type": "object", "x-kubernetes-group-version-kind": 1}}}}`,
		"a schema that is no object":    `{"components": {"schemas": {"Boat": {"type": "string", "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Boat"}]}}}}`,
		"a schema that is not there":    `{"components": {"schemas": {"Boat": null}}}`,
		"a list of what is not a thing": `{"components": {"schemas": {"Boat": {"type": "array", "items": {}, "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Boat"}]}}}}`,
	} {
		t.Run("the schemas are "+name, func(t *testing.T) {
			looptest.Run(t, []runtime.Object{policy(boats, "true")}, func(t *testing.T, w *looptest.World) {
				s := &server{World: w, schemas: document}
				w.Start(policystatus.New(w.Metadata(), s, s, w.Log))
				if observed, got := status(t, w); observed != 1 || got != nil {
					t.Errorf("generation %d is observed, with %q, want 1 with nothing", observed, got)
				}
			})
		})
	}
}
