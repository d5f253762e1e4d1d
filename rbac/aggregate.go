package rbac

import (
	"cmp"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Gathered is a rule of an aggregated ClusterRole, and where it comes from.
type Gathered struct {
	From *Role
	Rule int // index in From.Rules
}

// Gather returns the rules that an aggregated ClusterRole should have as of this snapshot: those of the
// ClusterRoles that its selectors choose, by selector and then by name, none twice.
// The clusterrole-aggregation controller writes them into the role; evaluation looks only at what is written.
// A selector that cannot be understood chooses nothing.
// Source: pkg/controller/clusterroleaggregation.
func (s *Snapshot) Gather(r *Role) []Gathered {
	var gathered []Gathered
	if r.GathersFrom == nil {
		return nil
	}
	for i := range r.GathersFrom.ClusterRoleSelectors {
		selector, err := metav1.LabelSelectorAsSelector(&r.GathersFrom.ClusterRoleSelectors[i])
		if err != nil {
			continue
		}
		for _, chosen := range s.selected(selector, r) {
			for rule := range chosen.Rules {
				if !slices.ContainsFunc(gathered, func(g Gathered) bool {
					return equality.Semantic.DeepEqual(g.rule(), chosen.Rules[rule])
				}) {
					gathered = append(gathered, Gathered{From: chosen, Rule: rule})
				}
			}
		}
	}
	return gathered
}

func (g Gathered) rule() rbacv1.PolicyRule { return g.From.Rules[g.Rule] }

// selected returns the ClusterRoles other than r that the selector chooses, by name.
func (s *Snapshot) selected(selector labels.Selector, r *Role) []*Role {
	var roles []*Role
	for _, other := range s.roles.all() {
		if other.Namespace == "" && other.Name != r.Name && selector.Matches(labels.Set(other.Labels)) {
			roles = append(roles, other)
		}
	}
	slices.SortFunc(roles, func(a, b *Role) int { return cmp.Compare(a.Name, b.Name) })
	return roles
}
