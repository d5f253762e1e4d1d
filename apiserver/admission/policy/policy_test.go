package policy

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/apiserver/admission"
	"coracle/apiserver/authz"
	"coracle/apiserver/catalog"
	"coracle/apiserver/decision"
	"coracle/rbac"
	"coracle/storage/cache"
)

// world is a cluster with one namespace and some ConfigMaps as parameters.
type world map[string]*corev1.ConfigMap

func (world) Subscribe(schema.GroupResource, func(*cache.Event)) {}

func (world) Namespace(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": "blue"}}}
}

func (w world) Lookup(_ schema.GroupVersionKind, _, name string) runtime.Object {
	if cm, ok := w[name]; ok {
		return cm
	}
	return nil
}

func (w world) All(context.Context, *catalog.Kind, string) ([]runtime.Object, error) {
	var all []runtime.Object
	for _, cm := range w {
		all = append(all, cm)
	}
	return all, nil
}

func (world) Ask(context.Context, *rbac.Attributes) authz.Answer {
	return authz.Answer{Verdict: authz.Allow}
}

func TestValidating(t *testing.T) {
	kinds := catalog.New(catalog.Builtin())
	limits := world{"limits": {ObjectMeta: metav1.ObjectMeta{Name: "limits", Labels: map[string]string{"of": "keys"}}, Data: map[string]string{"most": "1"}}}
	params := &admissionregistrationv1.ParamKind{APIVersion: "v1", Kind: "ConfigMap"}
	says := func(v admissionregistrationv1.Validation) func(*admissionregistrationv1.ValidatingAdmissionPolicy, *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
		return func(p *admissionregistrationv1.ValidatingAdmissionPolicy, _ *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
			p.Spec.Validations = []admissionregistrationv1.Validation{v}
		}
	}
	by := func(ref *admissionregistrationv1.ParamRef) func(*admissionregistrationv1.ValidatingAdmissionPolicy, *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
		return func(p *admissionregistrationv1.ValidatingAdmissionPolicy, b *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
			p.Spec.ParamKind, b.Spec.ParamRef = params, ref
			p.Spec.Validations = []admissionregistrationv1.Validation{{Expression: "size(object.data) <= int(params.data.most)"}}
		}
	}
	for name, tc := range map[string]struct {
		change func(*admissionregistrationv1.ValidatingAdmissionPolicy, *admissionregistrationv1.ValidatingAdmissionPolicyBinding)
		said   string
		want   string // that the refusal ends with; "" for none
		code   int32
	}{
		"holds": {change: says(admissionregistrationv1.Validation{Expression: "object.data.a == '1'"}), said: "allowed"},
		"does not": {
			change: says(admissionregistrationv1.Validation{Expression: " object.data.a == '2' "}), said: "denied",
			want: "failed expression: object.data.a == '2'", code: http.StatusUnprocessableEntity,
		},
		"a message": {
			change: says(admissionregistrationv1.Validation{Expression: "false", Message: " no ", Reason: new(metav1.StatusReasonForbidden)}), said: "denied",
			want: "denied request: no", code: http.StatusForbidden,
		},
		"a message that is made": {
			change: says(admissionregistrationv1.Validation{Expression: "false", Message: "no", MessageExpression: "'not in ' + namespaceObject.metadata.labels.team"}), said: "denied",
			want: "denied request: not in blue", code: http.StatusUnprocessableEntity,
		},
		"a message that cannot be made": {
			change: says(admissionregistrationv1.Validation{Expression: "false", Message: "no", MessageExpression: "object.data.missing"}), said: "denied",
			want: "denied request: no", code: http.StatusUnprocessableEntity,
		},
		"a message of two lines": {
			change: says(admissionregistrationv1.Validation{Expression: "false", Message: "no", MessageExpression: `'a\nb'`}), said: "denied",
			want: "denied request: no", code: http.StatusUnprocessableEntity,
		},
		"costs too much": {
			change: says(admissionregistrationv1.Validation{Expression: "[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, [1,2,3,4,5,6,7,8,9,10].all(e, [1,2,3,4,5,6,7,8,9,10].all(f, [1,2,3,4,5,6,7,8,9,10].all(g, a+b+c+d+e+f+g > 0)))))))"}),
			said:   "denied", want: "resulted in error: operation cancelled: actual cost limit exceeded", code: http.StatusUnprocessableEntity,
		},
		"fails, and may": {change: func(p *admissionregistrationv1.ValidatingAdmissionPolicy, _ *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
			p.Spec.FailurePolicy = new(admissionregistrationv1.Ignore)
			p.Spec.Validations = []admissionregistrationv1.Validation{{Expression: "object.data.missing == ''"}}
		}, said: "ignored"},
		"a parameter by name": {
			change: by(&admissionregistrationv1.ParamRef{Name: "limits"}), said: "denied",
			want: "failed expression: size(object.data) <= int(params.data.most)", code: http.StatusUnprocessableEntity,
		},
		"a parameter by label": {
			change: by(&admissionregistrationv1.ParamRef{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"of": "keys"}}}), said: "denied",
			want: "failed expression: size(object.data) <= int(params.data.most)", code: http.StatusUnprocessableEntity,
		},
		"no parameter, and none is needed": {change: by(&admissionregistrationv1.ParamRef{Name: "none", ParameterNotFoundAction: new(admissionregistrationv1.AllowAction)})},
		"no parameter, and one is": {
			change: by(&admissionregistrationv1.ParamRef{Name: "none", ParameterNotFoundAction: new(admissionregistrationv1.DenyAction)}), said: "failed",
			want: "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction", code: http.StatusUnprocessableEntity,
		},
		"parameters of a kind that there is not": {change: func(p *admissionregistrationv1.ValidatingAdmissionPolicy, _ *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
			p.Spec.ParamKind = &admissionregistrationv1.ParamKind{APIVersion: "example.com/v1", Kind: "Limit"}
		}, said: "failed", want: "failed to find resource referenced by paramKind: 'example.com/v1, Kind=Limit'", code: http.StatusUnprocessableEntity},
	} {
		t.Run(name, func(t *testing.T) {
			_, v := New(Config{Catalog: kinds, Objects: limits, Authz: limits, Log: slog.New(slog.DiscardHandler)})
			p := &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "p"}}
			p.Spec.MatchConstraints = &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{"*"},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{"*"}, APIVersions: []string{"*"}, Resources: []string{"*"}},
				},
			}}}
			b := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "b"}}
			b.Spec.PolicyName, b.Spec.ValidationActions = "p", []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny}
			tc.change(p, b)
			v.policies.current.Store(&[]bound{{
				policy:   v.policies.compiler.validating(p),
				bindings: []*binding{{b.Name, "p", b.Spec.ParamRef, criteria(b.Spec.MatchResources), b.Spec.ValidationActions}},
			}})
			rec := &decision.Record{}
			err := admission.Chain{v}.Validate(decision.With(t.Context(), rec), &admission.Attributes{
				Operation: admission.Create, Kind: kinds.ByKind(corev1.SchemeGroupVersion.WithKind("ConfigMap")), Namespace: "blue", Name: "a",
				Object:  &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Data: map[string]string{"a": "1", "b": "2"}},
				Options: &metav1.CreateOptions{}, User: &user.DefaultInfo{Name: "alice"},
			})
			if (err == nil) != (tc.want == "") || err != nil && !strings.HasSuffix(err.Error(), tc.want) {
				t.Fatalf("got  %v\nwant %s", err, tc.want)
			}
			if status := apierrors.APIStatus(nil); err != nil {
				status = err.(apierrors.APIStatus)
				if code := status.Status().Code; code != tc.code {
					t.Errorf("code %d, want %d", code, tc.code)
				}
			}
			said := ""
			if len(rec.Admission) > 0 {
				said = rec.Admission[0].Judged[0].Said
			}
			if said != tc.said {
				t.Errorf("the decision says %q, want %q", said, tc.said)
			}
		})
	}
}
