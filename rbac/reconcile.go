package rbac

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/component-helpers/auth/rbac/validation"
)

// Action is what there is to do with the object that Reconcile returns.
type Action uint8

const (
	// Keep: everything that is wanted is there, or somebody opted out. The zero value.
	Keep Action = iota
	// Create the object.
	Create
	// Update the object that is there.
	Update
	// Recreate: delete what is there (by its uid) and create the object, because a roleRef cannot be changed.
	Recreate
)

// Reconcile compares a default role or binding with what is there, nil for nothing, and returns the object to store.
// It only adds: what administrators gave beyond the default stays. An object whose annotation
// rbac.authorization.kubernetes.io/autoupdate is "false" is left alone.
// Neither argument is changed. Both must be of one kind, of the four kinds of rbac.authorization.k8s.io/v1.
// Source: k8s.io/component-helpers/auth/rbac/reconciliation.
func Reconcile(existing, wanted runtime.Object) (runtime.Object, Action, error) {
	if existing == nil {
		return wanted, Create, nil
	}
	if reflect.TypeOf(existing) != reflect.TypeOf(wanted) {
		return nil, Keep, fmt.Errorf("reconcile a %T with a %T", existing, wanted)
	}
	result := existing.DeepCopyObject()
	var action Action
	switch want := wanted.(type) {
	case *rbacv1.ClusterRole:
		have := result.(*rbacv1.ClusterRole)
		action = max(addMeta(&have.ObjectMeta, &want.ObjectMeta), addRules(&have.Rules, want.Rules),
			addSelectors(&have.AggregationRule, want.AggregationRule))
	case *rbacv1.Role:
		have := result.(*rbacv1.Role)
		action = max(addMeta(&have.ObjectMeta, &want.ObjectMeta), addRules(&have.Rules, want.Rules))
	case *rbacv1.ClusterRoleBinding:
		have := result.(*rbacv1.ClusterRoleBinding)
		if have.RoleRef != want.RoleRef {
			action = Recreate
			break
		}
		action = max(addMeta(&have.ObjectMeta, &want.ObjectMeta), addSubjects(&have.Subjects, want.Subjects))
	case *rbacv1.RoleBinding:
		have := result.(*rbacv1.RoleBinding)
		if have.RoleRef != want.RoleRef {
			action = Recreate
			break
		}
		action = max(addMeta(&have.ObjectMeta, &want.ObjectMeta), addSubjects(&have.Subjects, want.Subjects))
	default:
		return nil, Keep, fmt.Errorf("a %T is neither a role nor a binding", wanted)
	}
	if protected(existing) {
		return existing, Keep, nil
	}
	if action == Recreate {
		return wanted, Recreate, nil
	}
	return result, action, nil
}

func protected(obj runtime.Object) bool {
	o, ok := obj.(metav1.Object)
	return ok && o.GetAnnotations()[rbacv1.AutoUpdateAnnotationKey] == "false"
}

// addMeta adds labels and annotations; where both have a value, the one that is there stays.
func addMeta(have, want *metav1.ObjectMeta) Action {
	return max(addMissing(&have.Labels, want.Labels), addMissing(&have.Annotations, want.Annotations))
}

func addMissing(have *map[string]string, want map[string]string) Action {
	merged := maps.Clone(want)
	if merged == nil {
		return Keep
	}
	maps.Copy(merged, *have)
	if len(merged) == len(*have) {
		return Keep
	}
	*have = merged
	return Update
}

func addRules(have *[]rbacv1.PolicyRule, want []rbacv1.PolicyRule) Action {
	covered, missing := validation.Covers(*have, want)
	if covered {
		return Keep
	}
	*have = append(*have, missing...)
	return Update
}

func addSubjects(have *[]rbacv1.Subject, want []rbacv1.Subject) Action {
	var action Action
	for _, s := range want {
		if !slices.Contains(*have, s) {
			*have = append(*have, s)
			action = Update
		}
	}
	return action
}

// addSelectors also stops a role from gathering that should not gather at all.
func addSelectors(have **rbacv1.AggregationRule, want *rbacv1.AggregationRule) Action {
	if want == nil {
		if *have == nil {
			return Keep
		}
		*have = nil
		return Update
	}
	var there []metav1.LabelSelector
	if *have != nil {
		there = (*have).ClusterRoleSelectors
	}
	merged := there
	for _, selector := range want.ClusterRoleSelectors {
		if !slices.ContainsFunc(there, func(s metav1.LabelSelector) bool { return equality.Semantic.DeepEqual(s, selector) }) {
			merged = append(merged, selector)
		}
	}
	if len(merged) == len(there) {
		return Keep
	}
	*have = &rbacv1.AggregationRule{ClusterRoleSelectors: merged}
	return Update
}
