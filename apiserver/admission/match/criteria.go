package match

import (
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coracle/apiserver/admission"
	"coracle/apiserver/catalog"
)

// Exempt: what is written about admission itself is shown to nobody, who could make themselves irremovable. Reviews
// (TokenReview, SubjectAccessReview, ...) do not come to admission at all, since webhooks may ask for them.
func Exempt(a *admission.Attributes) bool { return a.Kind.Group == admissionregistrationv1.GroupName }

// Namespaces finds a namespace, nil when there is none.
type Namespaces interface {
	Namespace(name string) *corev1.Namespace
}

// Rules are of resources and operations.
type Rules []admissionregistrationv1.NamedRuleWithOperations

// Criteria are rules and selectors, all of which have to match.
type Criteria struct {
	Rules, Excluded Rules
	// Any: without rules every resource matches, rather than none.
	Any        bool
	Equivalent bool // a rule for another version of the same objects does as well
	namespaces labels.Selector
	objects    labels.Selector
	broken     error // a selector that cannot be read
}

// New returns criteria. nil selectors select everything.
func New(namespaces, objects *metav1.LabelSelector, policy *admissionregistrationv1.MatchPolicyType) *Criteria {
	c := &Criteria{Equivalent: policy != nil && *policy == admissionregistrationv1.Equivalent}
	c.namespaces, c.broken = selector(namespaces)
	objectsSelector, err := selector(objects)
	if c.objects = objectsSelector; c.broken == nil {
		c.broken = err
	}
	return c
}

func selector(s *metav1.LabelSelector) (labels.Selector, error) {
	if s == nil {
		return labels.Everything(), nil
	}
	return metav1.LabelSelectorAsSelector(s)
}

// Match returns the resource as which a request matches: its own, or an equivalent; nil for none.
// Errors: a Status.
func (c *Criteria) Match(r *Request, in Namespaces) (*catalog.Kind, error) {
	if c.Excluded.find(r, c.Equivalent) != nil {
		return nil, nil
	}
	kind := c.Rules.find(r, c.Equivalent)
	if kind == nil && c.Any && len(c.Rules) == 0 {
		kind = r.A.Kind
	}
	if kind == nil {
		return nil, nil
	}
	if c.broken != nil {
		return nil, apierrors.NewInternalError(c.broken)
	}
	if ok, err := c.selectsNamespace(r.A, in); err != nil || !ok {
		return nil, err
	}
	if !c.objects.Empty() && !selects(c.objects, r.A.Object) && !selects(c.objects, r.A.Old) {
		return nil, nil
	}
	return kind, nil
}

// find returns the resource of the first rule that matches the request's own, or else an equivalent.
func (rules Rules) find(r *Request, equivalent bool) *catalog.Kind {
	for i := range rules {
		if matches(&rules[i], r.A, r.A.Kind) {
			return r.A.Kind
		}
	}
	if !equivalent {
		return nil
	}
	for i := range rules {
		for _, k := range r.equivalents() {
			if matches(&rules[i], r.A, k) {
				return k
			}
		}
	}
	return nil
}

func matches(rule *admissionregistrationv1.NamedRuleWithOperations, a *admission.Attributes, k *catalog.Kind) bool {
	return inScope(rule.Scope, a, k) &&
		(slices.Contains(rule.Operations, admissionregistrationv1.OperationAll) ||
			slices.Contains(rule.Operations, admissionregistrationv1.OperationType(a.Operation))) &&
		oneOf(rule.APIGroups, k.Group) && oneOf(rule.APIVersions, k.Version) &&
		slices.ContainsFunc(rule.Resources, func(named string) bool {
			resource, sub, _ := strings.Cut(named, "/")
			return (resource == "*" || resource == k.Resource) && (sub == "*" || sub == a.Subresource)
		}) && (len(rule.ResourceNames) == 0 || slices.Contains(rule.ResourceNames, a.Name))
}

func oneOf(named []string, asked string) bool {
	return slices.Contains(named, "*") || slices.Contains(named, asked)
}

// inScope: a namespace is an object of the cluster, although requests for it are made in itself.
func inScope(scope *admissionregistrationv1.ScopeType, a *admission.Attributes, k *catalog.Kind) bool {
	if scope == nil {
		return true
	}
	isNamespace := k.Group == "" && k.Version == "v1" && k.Resource == "namespaces"
	switch *scope {
	case admissionregistrationv1.AllScopes:
		return true
	case admissionregistrationv1.NamespacedScope:
		return !isNamespace && a.Namespace != ""
	case admissionregistrationv1.ClusterScope:
		return isNamespace || a.Namespace == ""
	}
	return false
}

// selectsNamespace: of what is in no namespace nothing is exempted, but namespaces themselves.
func (c *Criteria) selectsNamespace(a *admission.Attributes, in Namespaces) (bool, error) {
	if c.namespaces.Empty() || a.Namespace == "" && a.Kind.Resource != "namespaces" {
		return true, nil
	}
	if a.Kind.Resource == "namespaces" && a.Subresource == "" && a.Object != nil { // as it is about to be
		return selects(c.namespaces, a.Object), nil
	}
	ns := in.Namespace(a.Namespace)
	if ns == nil {
		return false, apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, a.Namespace)
	}
	return c.namespaces.Matches(labels.Set(ns.Labels)), nil
}

func selects(s labels.Selector, obj runtime.Object) bool {
	if obj == nil {
		return false
	}
	m, err := meta.Accessor(obj)
	return err == nil && s.Matches(labels.Set(m.GetLabels()))
}
