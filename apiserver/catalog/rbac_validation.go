package catalog

import (
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Source of the sentences: k8s.io/kubernetes/pkg/apis/rbac/validation.

func validateRole(r *rbacv1.Role, root *field.Path) errorList {
	return validateRules(r.Rules, true, root)
}

func validateClusterRole(r *rbacv1.ClusterRole, root *field.Path) errorList {
	errs := validateRules(r.Rules, false, root)
	if r.AggregationRule == nil {
		return errs
	}
	path := child(root, "aggregationRule", "clusterRoleSelectors")
	if len(r.AggregationRule.ClusterRoleSelectors) == 0 {
		errs = append(errs, field.Required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil"))
	}
	for i := range r.AggregationRule.ClusterRoleSelectors {
		errs = append(errs, validateSelector(&r.AggregationRule.ClusterRoleSelectors[i], nth(path, i), "invalid label selector.")...)
	}
	return errs
}

func validateRules(rules []rbacv1.PolicyRule, namespaced bool, root *field.Path) errorList {
	var errs errorList
	for i, rule := range rules {
		errs = append(errs, validateRule(rule, namespaced, nth(child(root, "rules"), i))...)
	}
	return errs
}

func validateRule(rule rbacv1.PolicyRule, namespaced bool, path *field.Path) errorList {
	errs := required(child(path, "verbs"), len(rule.Verbs) == 0)
	if urls := rule.NonResourceURLs; len(urls) > 0 {
		at := child(path, "nonResourceURLs")
		if namespaced {
			errs = append(errs, field.Invalid(at, urls, "namespaced rules cannot apply to non-resource URLs"))
		}
		if len(rule.APIGroups) > 0 || len(rule.Resources) > 0 || len(rule.ResourceNames) > 0 {
			errs = append(errs, field.Invalid(at, urls, "rules cannot apply to both regular resources and non-resource URLs"))
		}
		return errs
	}
	if len(rule.APIGroups) == 0 {
		errs = append(errs, field.Required(child(path, "apiGroups"), "resource rules must supply at least one api group"))
	}
	if len(rule.Resources) == 0 {
		errs = append(errs, field.Required(child(path, "resources"), "resource rules must supply at least one resource"))
	}
	return errs
}

func validateRoleBinding(b *rbacv1.RoleBinding, root *field.Path) errorList {
	return validateBinding(b.RoleRef, nil, b.Subjects, true, root, "Role", "ClusterRole")
}

// That the role has changed is a handwritten rule of one kind of bindings, and a declared one of the other.
func revalidateRoleBinding(b, old *rbacv1.RoleBinding, root *field.Path) errorList {
	return append(validateBinding(b.RoleRef, &old.RoleRef, b.Subjects, true, root, "Role", "ClusterRole"), fixedRoleRef(b.RoleRef, old.RoleRef, root)...)
}

func revalidateClusterRoleBinding(b, old *rbacv1.ClusterRoleBinding, root *field.Path) errorList {
	return append(validateBinding(b.RoleRef, &old.RoleRef, b.Subjects, false, root, "ClusterRole"), fixedRoleRef(b.RoleRef, old.RoleRef, root)...)
}

func validateClusterRoleBinding(b *rbacv1.ClusterRoleBinding, root *field.Path) errorList {
	return validateBinding(b.RoleRef, nil, b.Subjects, false, root, "ClusterRole")
}

// validateBinding checks a binding that was of another role before, or nil. What is declared of a role is not asked of one that
// has changed, which no role may.
func validateBinding(ref rbacv1.RoleRef, old *rbacv1.RoleRef, subjects []rbacv1.Subject, namespaced bool, root *field.Path, roleKinds ...string) errorList {
	var errs errorList
	path := child(root, "roleRef")
	if ref.APIGroup != rbacv1.GroupName {
		errs = append(errs, field.NotSupported(child(path, "apiGroup"), ref.APIGroup, []string{rbacv1.GroupName}))
	}
	if !slices.Contains(roleKinds, ref.Kind) {
		errs = append(errs, field.NotSupported(child(path, "kind"), ref.Kind, roleKinds))
	}
	changed := old != nil && *old != ref
	if changed && ref.Name == "" {
		errs = append(errs, field.Required(child(path, "name"), ""))
	}
	if ref.Name != "" {
		errs = append(errs, invalidEach(child(path, "name"), ref.Name, pathSegmentName(ref.Name, false))...)
	}
	for i, s := range subjects {
		errs = append(errs, validateSubject(s, namespaced, nth(child(root, "subjects"), i))...)
	}
	return append(errs, required(child(path, "name"), ref.Name == "" && !changed)...)
}

func validateSubject(s rbacv1.Subject, namespaced bool, path *field.Path) errorList {
	errs := required(child(path, "name"), s.Name == "")
	switch s.Kind {
	case rbacv1.ServiceAccountKind:
		if s.Name != "" {
			errs = append(errs, invalidEach(child(path, "name"), s.Name, apivalidation.ValidateServiceAccountName(s.Name, false))...)
		}
		if s.APIGroup != "" {
			errs = append(errs, field.NotSupported(child(path, "apiGroup"), s.APIGroup, []string{""}))
		}
		if !namespaced && s.Namespace == "" {
			errs = append(errs, field.Required(child(path, "namespace"), ""))
		}
	case rbacv1.UserKind, rbacv1.GroupKind:
		if s.APIGroup != rbacv1.GroupName {
			errs = append(errs, field.NotSupported(child(path, "apiGroup"), s.APIGroup, []string{rbacv1.GroupName}))
		}
	default:
		errs = append(errs, field.NotSupported(child(path, "kind"), s.Kind, []string{rbacv1.ServiceAccountKind, rbacv1.UserKind, rbacv1.GroupKind}))
	}
	return errs
}

// fixedRoleRef: a binding is for one role forever. Otherwise whoever may update a binding, but not bind the new
// role, could hand its subjects more than they were given.
func fixedRoleRef(ref, old rbacv1.RoleRef, root *field.Path) errorList {
	return unchanged(child(root, "roleRef"), ref, old)
}
