package policy

import (
	"context"
	"errors"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coracle/apiserver/admission/match"
	"coracle/apiserver/catalog"
)

// Objects finds parameters. Nobody may change them.
type Objects interface {
	Subscriber
	match.Namespaces
	// Lookup finds an object of any kind, nil when there is none.
	Lookup(kind schema.GroupVersionKind, namespace, name string) runtime.Object
	// All returns the objects of a kind, of one namespace or of all.
	All(ctx context.Context, k *catalog.Kind, namespace string) ([]runtime.Object, error)
}

// params are the objects by which a binding fills in a policy: one nil for a policy, or a binding, that has none.
// Source: k8s.io/apiserver/pkg/admission/plugin/policy/generic.CollectParams.
func (c *Config) params(ctx context.Context, p *policy, b *binding, namespace string) ([]runtime.Object, error) {
	kind, ref := p.paramKind, b.ref
	if kind == nil {
		return []runtime.Object{nil}, nil
	}
	gvk := schema.FromAPIVersionAndKind(kind.APIVersion, kind.Kind)
	k := c.Catalog.ByKind(gvk)
	if k == nil {
		return nil, fmt.Errorf("failed to find resource referenced by paramKind: '%v'", gvk)
	}
	if ref == nil {
		return []runtime.Object{nil}, nil
	}
	switch {
	case k.Namespaced && ref.Namespace != "":
		namespace = ref.Namespace
	case k.Namespaced && namespace == "":
		return nil, errors.New("cannot use namespaced paramRef in policy binding that matches cluster-scoped resources")
	case !k.Namespaced && ref.Namespace != "":
		return nil, errors.New("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
	case !k.Namespaced:
		namespace = ""
	}
	found, err := c.parameters(ctx, k, ref, namespace)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 && ref.ParameterNotFoundAction != nil && *ref.ParameterNotFoundAction == admissionregistrationv1.DenyAction {
		return nil, errors.New("no params found for policy binding with `Deny` parameterNotFoundAction")
	}
	return found, nil
}

func (c *Config) parameters(ctx context.Context, k *catalog.Kind, ref *admissionregistrationv1.ParamRef, namespace string) ([]runtime.Object, error) {
	if ref.Name != "" {
		if obj := c.Objects.Lookup(k.GroupVersionKind, namespace, ref.Name); obj != nil {
			return []runtime.Object{match.Named(obj, k.GroupVersionKind)}, nil
		}
		return nil, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(ref.Selector)
	if err != nil {
		return nil, err
	}
	all, err := c.Objects.All(ctx, k, namespace)
	if err != nil {
		return nil, err
	}
	var found []runtime.Object
	for _, obj := range all {
		if m, err := meta.Accessor(obj); err == nil && selector.Matches(labels.Set(m.GetLabels())) {
			found = append(found, match.Named(obj, k.GroupVersionKind))
		}
	}
	return found, nil
}
