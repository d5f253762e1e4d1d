package catalog

import (
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func admissionregistrationKinds() []*Kind {
	gv := admissionregistrationv1.SchemeGroupVersion
	cel := newExpressions()
	return []*Kind{
		row[admissionregistrationv1.MutatingAdmissionPolicy, admissionregistrationv1.MutatingAdmissionPolicyList](gv, Kind{
			Resource:   "mutatingadmissionpolicies",
			Categories: inExtensions(),
			Strategy: Strategy{
				Default:        on(defaultMutatingPolicy),
				Validate:       check(cel.validateMutatingPolicy),
				Generation:     true,
				RequireVersion: true,
			},
			Table: table(mutatingPolicyCells,
				nameColumn(),
				column("Mutations", "integer", "Mutation indicates the number of mutations rules defined in this configuration"),
				paramKindColumn(),
				ageColumn()),
		}),
		row[admissionregistrationv1.MutatingAdmissionPolicyBinding, admissionregistrationv1.MutatingAdmissionPolicyBindingList](gv, Kind{
			Resource:   "mutatingadmissionpolicybindings",
			Categories: inExtensions(),
			Strategy: Strategy{
				Default:        on(func(b *admissionregistrationv1.MutatingAdmissionPolicyBinding) { defaultMatch(b.Spec.MatchResources) }),
				Validate:       check(validateMutatingBinding),
				Generation:     true,
				RequireVersion: true,
			},
			Table: table(func(b *admissionregistrationv1.MutatingAdmissionPolicyBinding, now time.Time) []any {
				return []any{b.Name, b.Spec.PolicyName, paramCell(b.Spec.ParamRef), Age(b.CreationTimestamp, now)}
			}, policyBindingColumns()...),
		}),
		row[admissionregistrationv1.MutatingWebhookConfiguration, admissionregistrationv1.MutatingWebhookConfigurationList](gv, Kind{
			Resource:   "mutatingwebhookconfigurations",
			Categories: inExtensions(),
			Strategy: Strategy{
				Default:        on(defaultMutatingWebhooks),
				Validate:       check(cel.validateMutatingWebhooks),
				Warnings:       warnings(mutatingWebhookWarnings),
				Generation:     true,
				CountsEmpty:    true,
				RequireVersion: true,
			},
			Table: table(func(c *admissionregistrationv1.MutatingWebhookConfiguration, now time.Time) []any {
				return []any{c.Name, count(len(c.Webhooks)), Age(c.CreationTimestamp, now)}
			}, webhookColumns()...),
		}),
		row[admissionregistrationv1.ValidatingAdmissionPolicy, admissionregistrationv1.ValidatingAdmissionPolicyList](gv, Kind{
			Resource:     "validatingadmissionpolicies",
			Categories:   inExtensions(),
			Subresources: onlyStatus(),
			Strategy: Strategy{
				Default: on(defaultValidatingPolicy),
				PrepareForCreate: on(func(p *admissionregistrationv1.ValidatingAdmissionPolicy) {
					p.Status = admissionregistrationv1.ValidatingAdmissionPolicyStatus{}
				}),
				Validate:             check(cel.validateValidatingPolicy),
				ValidateStatusUpdate: checkChange(validateValidatingPolicyStatus),
				StatusKeepsMetadata:  true,
				Generation:           true,
				RequireVersion:       true,
			},
			Table: table(validatingPolicyCells,
				nameColumn(),
				column("Validations", "integer", "Validations indicates the number of validation rules defined in this configuration"),
				paramKindColumn(),
				ageColumn()),
		}),
		row[admissionregistrationv1.ValidatingAdmissionPolicyBinding, admissionregistrationv1.ValidatingAdmissionPolicyBindingList](gv, Kind{
			Resource:   "validatingadmissionpolicybindings",
			Categories: inExtensions(),
			Strategy: Strategy{
				Default:        on(func(b *admissionregistrationv1.ValidatingAdmissionPolicyBinding) { defaultMatch(b.Spec.MatchResources) }),
				Validate:       check(validateValidatingBinding),
				Generation:     true,
				RequireVersion: true,
			},
			Table: table(func(b *admissionregistrationv1.ValidatingAdmissionPolicyBinding, now time.Time) []any {
				return []any{b.Name, b.Spec.PolicyName, paramCell(b.Spec.ParamRef), Age(b.CreationTimestamp, now)}
			}, policyBindingColumns()...),
		}),
		row[admissionregistrationv1.ValidatingWebhookConfiguration, admissionregistrationv1.ValidatingWebhookConfigurationList](gv, Kind{
			Resource:   "validatingwebhookconfigurations",
			Categories: inExtensions(),
			Strategy: Strategy{
				Default:        on(defaultValidatingWebhooks),
				Validate:       check(cel.validateValidatingWebhooks),
				Warnings:       warnings(validatingWebhookWarnings),
				Generation:     true,
				CountsEmpty:    true,
				RequireVersion: true,
			},
			Table: table(func(c *admissionregistrationv1.ValidatingWebhookConfiguration, now time.Time) []any {
				return []any{c.Name, count(len(c.Webhooks)), Age(c.CreationTimestamp, now)}
			}, webhookColumns()...),
		}),
	}
}

func paramKindColumn() metav1.TableColumnDefinition {
	return column("ParamKind", "string", "ParamKind specifies the kind of resources used to parameterize this policy")
}

func policyBindingColumns() []metav1.TableColumnDefinition {
	return []metav1.TableColumnDefinition{
		nameColumn(),
		column("PolicyName", "string", "PolicyName indicates the policy definition which the policy binding binded to"),
		column("ParamRef", "string", "ParamRef indicates the param resource which sets the configuration param"),
		ageColumn(),
	}
}

func webhookColumns() []metav1.TableColumnDefinition {
	return []metav1.TableColumnDefinition{
		nameColumn(),
		column("Webhooks", "integer", "Webhooks indicates the number of webhooks registered in this configuration"),
		ageColumn(),
	}
}

func mutatingPolicyCells(p *admissionregistrationv1.MutatingAdmissionPolicy, now time.Time) []any {
	return []any{p.Name, count(len(p.Spec.Mutations)), paramKindCell(p.Spec.ParamKind), Age(p.CreationTimestamp, now)}
}

func validatingPolicyCells(p *admissionregistrationv1.ValidatingAdmissionPolicy, now time.Time) []any {
	return []any{p.Name, count(len(p.Spec.Validations)), paramKindCell(p.Spec.ParamKind), Age(p.CreationTimestamp, now)}
}

func paramKindCell(k *admissionregistrationv1.ParamKind) string {
	if k == nil {
		return "<unset>"
	}
	return k.APIVersion + "/" + k.Kind
}

// paramCell prints a namespace of * for a parameter that is in the namespace of what is checked, or in none.
func paramCell(r *admissionregistrationv1.ParamRef) string {
	switch {
	case r == nil || r.Name == "" && r.Selector == nil:
		return "<unset>"
	case r.Name == "":
		return r.Selector.String()
	case r.Namespace == "":
		return "*/" + r.Name
	}
	return r.Namespace + "/" + r.Name
}
