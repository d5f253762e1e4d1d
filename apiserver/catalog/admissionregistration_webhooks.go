package catalog

import (
	"fmt"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Source of the sentences: k8s.io/kubernetes/pkg/apis/admissionregistration/validation.

// webhook stands for both kinds of webhooks: a mutating one has all that a validating one has.
type webhook = admissionregistrationv1.MutatingWebhook

func asMutating(w *admissionregistrationv1.ValidatingWebhook) webhook {
	return webhook{
		Name: w.Name, ClientConfig: w.ClientConfig, Rules: w.Rules, FailurePolicy: w.FailurePolicy, MatchPolicy: w.MatchPolicy,
		NamespaceSelector: w.NamespaceSelector, ObjectSelector: w.ObjectSelector, SideEffects: w.SideEffects,
		TimeoutSeconds: w.TimeoutSeconds, AdmissionReviewVersions: w.AdmissionReviewVersions, MatchConditions: w.MatchConditions,
	}
}

func asValidating(w *webhook) admissionregistrationv1.ValidatingWebhook {
	return admissionregistrationv1.ValidatingWebhook{
		Name: w.Name, ClientConfig: w.ClientConfig, Rules: w.Rules, FailurePolicy: w.FailurePolicy, MatchPolicy: w.MatchPolicy,
		NamespaceSelector: w.NamespaceSelector, ObjectSelector: w.ObjectSelector, SideEffects: w.SideEffects,
		TimeoutSeconds: w.TimeoutSeconds, AdmissionReviewVersions: w.AdmissionReviewVersions, MatchConditions: w.MatchConditions,
	}
}

// WebhooksOf are the webhooks of a validating configuration, in the form of mutating ones, which have all that they have.
func WebhooksOf(c *admissionregistrationv1.ValidatingWebhookConfiguration) []webhook {
	hooks := make([]webhook, len(c.Webhooks))
	for i := range hooks {
		hooks[i] = asMutating(&c.Webhooks[i])
	}
	return hooks
}

func (x *expressions) validateMutatingWebhooks(c *admissionregistrationv1.MutatingWebhookConfiguration, root *field.Path) errorList {
	return append(x.validateWebhooks(c.Webhooks, root), validateNotStatic(c.Name, root)...)
}

func (x *expressions) validateValidatingWebhooks(c *admissionregistrationv1.ValidatingWebhookConfiguration, root *field.Path) errorList {
	return append(x.validateWebhooks(WebhooksOf(c), root), validateNotStatic(c.Name, root)...)
}

func (x *expressions) validateWebhooks(hooks []webhook, root *field.Path) errorList {
	var errs errorList
	names := map[string]bool{"": true}
	for i := range hooks {
		w, at := &hooks[i], nth(child(root, "webhooks"), i)
		errs = append(errs, x.validateWebhook(w, at)...)
		errs = append(errs, validateReviewVersions(w.AdmissionReviewVersions, child(at, "admissionReviewVersions"))...)
		if names[w.Name] && w.Name != "" {
			errs = append(errs, field.Duplicate(child(at, "name"), w.Name))
		}
		names[w.Name] = true
	}
	return errs
}

func (x *expressions) validateWebhook(w *webhook, at *field.Path) errorList {
	errs := validation.IsFullyQualifiedName(child(at, "name"), w.Name)
	for i := range w.Rules {
		errs = append(errs, validateAdmissionRule(&w.Rules[i], nth(child(at, "rules"), i))...)
	}
	errs = append(errs, knownIfSet(child(at, "failurePolicy"), w.FailurePolicy, admissionregistrationv1.Fail, admissionregistrationv1.Ignore)...)
	errs = append(errs, knownIfSet(child(at, "matchPolicy"), w.MatchPolicy, admissionregistrationv1.Equivalent, admissionregistrationv1.Exact)...)
	if w.SideEffects == nil {
		errs = append(errs, field.Required(child(at, "sideEffects"), "must specify one of None, NoneOnDryRun"))
	}
	errs = append(errs, knownIfSet(child(at, "sideEffects"), w.SideEffects,
		admissionregistrationv1.SideEffectClassNone, admissionregistrationv1.SideEffectClassNoneOnDryRun)...)
	if t := w.TimeoutSeconds; t != nil && (*t > 30 || *t < 1) {
		errs = append(errs, field.Invalid(child(at, "timeoutSeconds"), *t, "the timeout value must be between 1 and 30 seconds"))
	}
	errs = append(errs, validateLabelSelector(w.NamespaceSelector, child(at, "namespaceSelector"))...)
	errs = append(errs, validateLabelSelector(w.ObjectSelector, child(at, "objectSelector"))...)
	errs = append(errs, knownIfSet(child(at, "reinvocationPolicy"), w.ReinvocationPolicy,
		admissionregistrationv1.IfNeededReinvocationPolicy, admissionregistrationv1.NeverReinvocationPolicy)...)
	errs = append(errs, validateWebhookClient(&w.ClientConfig, child(at, "clientConfig"))...)
	return append(errs, x.validateMatchConditions(w.MatchConditions, false, child(at, "matchConditions"))...)
}

func validateWebhookClient(c *admissionregistrationv1.WebhookClientConfig, at *field.Path) errorList {
	switch {
	case (c.URL == nil) == (c.Service == nil):
		return errorList{field.Required(at, "exactly one of url or service is required")}
	case c.URL != nil:
		return validateWebhookURL(*c.URL, child(at, "url"))
	}
	s, at := c.Service, child(at, "service")
	// Kubernetes mistakes one for the other: it reports a missing name as that of the namespace.
	errs := needed(child(at, "name"), s.Namespace)
	errs = append(errs, needed(child(at, "namespace"), s.Name)...)
	if texts := validation.IsValidPortNum(int(value(s.Port))); len(texts) > 0 {
		errs = append(errs, field.Invalid(child(at, "port"), value(s.Port), "port is not valid: "+strings.Join(texts, ", ")))
	}
	return append(errs, validateWebhookPath(value(s.Path), child(at, "path"))...)
}

// validateReviewVersions demands a version of AdmissionReview that this server can send.
func validateReviewVersions(versions []string, at *field.Path) errorList {
	if len(versions) == 0 {
		return errorList{field.Required(at, "must specify one of v1, v1beta1")}
	}
	var errs errorList
	seen := before[string]{}
	for i, v := range versions {
		if seen.has(v) {
			errs = append(errs, field.Invalid(nth(at, i), v, "duplicate version"))
			continue
		}
		errs = append(errs, invalidEach(nth(at, i), v, validation.IsDNS1035Label(v))...)
	}
	if !slices.Contains(versions, "v1") && !slices.Contains(versions, "v1beta1") {
		errs = append(errs, field.Invalid(at, versions, "must include at least one of v1, v1beta1"))
	}
	return errs
}

func mutatingWebhookWarnings(c, _ *admissionregistrationv1.MutatingWebhookConfiguration, root *field.Path) []string {
	return webhookWarnings(c.Webhooks, root)
}

func validatingWebhookWarnings(c, _ *admissionregistrationv1.ValidatingWebhookConfiguration, root *field.Path) []string {
	return webhookWarnings(WebhooksOf(c), root)
}

// webhookWarnings name the rules that can never match: the reviews by which webhooks themselves may be
// authenticated and authorized are not sent to webhooks.
func webhookWarnings(hooks []webhook, root *field.Path) []string {
	var texts []string
	for i := range hooks {
		for j := range hooks[i].Rules {
			at := nth(child(nth(child(root, "webhooks"), i), "rules"), j)
			for _, name := range neverMatched(&hooks[i].Rules[j].Rule) {
				texts = append(texts, fmt.Sprintf("%s: %s is excluded from admission webhooks; this rule will have no effect", at, name))
			}
		}
	}
	return texts
}

func neverMatched(r *admissionregistrationv1.Rule) []string {
	if slices.Contains(r.APIGroups, "*") || slices.Contains(r.Resources, "*") {
		return nil
	}
	var names []string
	for _, group := range r.APIGroups {
		for _, resource := range r.Resources {
			name := resource + "." + group
			if isReview(name) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func isReview(name string) bool {
	switch name {
	case "selfsubjectreviews.authentication.k8s.io", "tokenreviews.authentication.k8s.io",
		"localsubjectaccessreviews.authorization.k8s.io", "selfsubjectaccessreviews.authorization.k8s.io",
		"selfsubjectrulesreviews.authorization.k8s.io", "subjectaccessreviews.authorization.k8s.io":
		return true
	}
	return false
}
