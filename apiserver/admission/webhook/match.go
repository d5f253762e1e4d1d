package webhook

import (
	"context"
	"fmt"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coracle/apiserver/admission"
	"coracle/apiserver/catalog"
)

// invocation is a hook that is to be asked, and the resource as which the request is shown to it.
type invocation struct {
	*hook
	kind *catalog.Kind
}

// exempt: what is written about admission itself is not shown to webhooks, which could make themselves irremovable. Reviews
// (TokenReview, SubjectAccessReview, ...) do not come here at all, since webhooks may ask for them.
func exempt(a *admission.Attributes) bool { return a.Kind.Group == admissionregistrationv1.GroupName }

// match tells whether, and how, a hook is to be asked; nil for not.
// Source: k8s.io/apiserver/pkg/admission/plugin/webhook/generic.Webhook.ShouldCallHook.
func (a *asker) match(ctx context.Context, h *hook, r *request) (*invocation, error) {
	kind := h.shownAs(r)
	if kind == nil {
		return nil, nil
	}
	if h.broken != nil {
		return nil, apierrors.NewInternalError(h.broken)
	}
	if ok, err := a.selectsNamespace(h, r.a); err != nil || !ok {
		return nil, err
	}
	if !h.objects.Empty() && !selects(h.objects, r.a.Object) && !selects(h.objects, r.a.Old) {
		return nil, nil
	}
	inv := &invocation{h, kind}
	if len(h.MatchConditions) > 0 {
		if ok, err := a.meetsConditions(ctx, inv, r); err != nil || !ok {
			return nil, err
		}
	}
	return inv, nil
}

// shownAs is the resource of the first rule that matches the request's own, or, where the matchPolicy allows, an equivalent.
func (h *hook) shownAs(r *request) *catalog.Kind {
	for i := range h.Rules {
		if matches(&h.Rules[i], r.a, r.a.Kind) {
			return r.a.Kind
		}
	}
	if h.MatchPolicy == nil || *h.MatchPolicy != admissionregistrationv1.Equivalent {
		return nil
	}
	for i := range h.Rules {
		for _, k := range r.equivalents() {
			if matches(&h.Rules[i], r.a, k) {
				return k
			}
		}
	}
	return nil
}

func matches(rule *admissionregistrationv1.RuleWithOperations, a *admission.Attributes, k *catalog.Kind) bool {
	return inScope(rule.Scope, a, k) &&
		(slices.Contains(rule.Operations, admissionregistrationv1.OperationAll) ||
			slices.Contains(rule.Operations, admissionregistrationv1.OperationType(a.Operation))) &&
		oneOf(rule.APIGroups, k.Group) && oneOf(rule.APIVersions, k.Version) &&
		slices.ContainsFunc(rule.Resources, func(named string) bool {
			resource, sub, _ := strings.Cut(named, "/")
			return (resource == "*" || resource == k.Resource) && (sub == "*" || sub == a.Subresource)
		})
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
func (a *asker) selectsNamespace(h *hook, r *admission.Attributes) (bool, error) {
	if h.namespaces.Empty() || r.Namespace == "" && r.Kind.Resource != "namespaces" {
		return true, nil
	}
	if r.Kind.Resource == "namespaces" && r.Subresource == "" && r.Object != nil { // as it is about to be
		return selects(h.namespaces, r.Object), nil
	}
	ns := a.Objects.Namespace(r.Namespace)
	if ns == nil {
		return false, apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, r.Namespace)
	}
	return h.namespaces.Matches(labels.Set(ns.Labels)), nil
}

func selects(s labels.Selector, obj runtime.Object) bool {
	if obj == nil {
		return false
	}
	m, err := meta.Accessor(obj)
	return err == nil && s.Matches(labels.Set(m.GetLabels()))
}

// request is what webhooks are asked about, in the versions that they want.
type request struct {
	a       *admission.Attributes
	catalog *catalog.Catalog
	alike   []*catalog.Kind
	looked  bool
	shown   map[*catalog.Kind]*shown
}

// shown is a request's objects in one version, nil where there is none.
type shown struct{ obj, old runtime.Object }

// equivalents are the other resources that are the same objects: of other versions, or of the other group of events.
func (r *request) equivalents() []*catalog.Kind {
	if !r.looked {
		r.looked = true
		for _, k := range r.catalog.Kinds() {
			if k == r.a.Kind || k.GroupResource() != r.a.Kind.GroupResource() {
				continue
			}
			if _, has := k.Subresource(r.a.Subresource); has || r.a.Subresource == "" {
				r.alike = append(r.alike, k)
			}
		}
	}
	return r.alike
}

// as is the kind of the objects when they are shown as a resource.
func (r *request) as(k *catalog.Kind) schema.GroupVersionKind {
	if r.a.As.Empty() {
		return k.GroupVersionKind
	}
	return r.a.As
}

// in returns the objects as a resource has them. Nobody may change them.
func (r *request) in(k *catalog.Kind) (*shown, error) {
	if s := r.shown[k]; s != nil {
		return s, nil
	}
	s := &shown{}
	var err error
	if s.obj, err = r.convert(r.a.Object, r.a.Kind, k); err != nil {
		return nil, err
	}
	if s.old, err = r.convert(r.a.Old, r.a.Kind, k); err != nil {
		return nil, err
	}
	if r.shown == nil {
		r.shown = map[*catalog.Kind]*shown{}
	}
	r.shown[k] = s
	return s, nil
}

// convert returns an object of one resource as another has it, the same where nothing differs.
func (r *request) convert(obj runtime.Object, from, to *catalog.Kind) (runtime.Object, error) {
	if obj == nil {
		return nil, nil
	}
	want := r.as(to)
	if from == to || !r.a.As.Empty() {
		if obj.GetObjectKind().GroupVersionKind() != want {
			obj = obj.DeepCopyObject() // it may be shared
			obj.GetObjectKind().SetGroupVersionKind(want)
		}
		return obj, nil
	}
	out := obj.DeepCopyObject()
	var err error
	if from.ToStored != nil {
		if out, err = from.ToStored(out); err != nil {
			return nil, fmt.Errorf("unable to convert to %s: %w", want, err)
		}
	}
	if to.FromStored != nil {
		if out, err = to.FromStored(out); err != nil {
			return nil, fmt.Errorf("unable to convert to %s: %w", want, err)
		}
	}
	out.GetObjectKind().SetGroupVersionKind(want)
	return out, nil
}
