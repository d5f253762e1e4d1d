package rbac

import (
	"cmp"
	"iter"
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
	if r.GathersFrom == nil {
		return nil
	}
	var gathered []Gathered
	for source := range s.sources(r) {
		for i, rule := range source.Rules {
			if !slices.ContainsFunc(gathered, func(g Gathered) bool { return equality.Semantic.DeepEqual(g.rule(), rule) }) {
				gathered = append(gathered, Gathered{From: source, Rule: i})
			}
		}
	}
	return gathered
}

// sources yields the ClusterRoles that the role's selectors choose, by selector and then by name, never the role itself.
func (s *Snapshot) sources(r *Role) iter.Seq[*Role] {
	return func(yield func(*Role) bool) {
		for i := range r.GathersFrom.ClusterRoleSelectors {
			selector, err := metav1.LabelSelectorAsSelector(&r.GathersFrom.ClusterRoleSelectors[i])
			if err != nil {
				continue
			}
			for _, chosen := range s.selected(selector, r) {
				if !yield(chosen) {
					return
				}
			}
		}
	}
}

// origin finds the role, itself not aggregated, that an aggregated role has a rule from, however many times the rule was
// passed on. It is not ok when there is none: somebody wrote the rule into the aggregated role, or roles that
// gather from one another in a circle keep it among themselves.
func (s *Snapshot) origin(role *Role, rule int) (Gathered, bool) {
	return s.trace(role, role.Rules[rule], map[*Role]bool{})
}

func (s *Snapshot) trace(role *Role, rule rbacv1.PolicyRule, seen map[*Role]bool) (Gathered, bool) {
	seen[role] = true
	if role.GathersFrom == nil {
		return Gathered{}, false
	}
	for source := range s.sources(role) {
		if seen[source] {
			continue
		}
		i := slices.IndexFunc(source.Rules, func(r rbacv1.PolicyRule) bool { return equality.Semantic.DeepEqual(r, rule) })
		switch {
		case i < 0:
		case source.GathersFrom == nil:
			return Gathered{source, i}, true
		default:
			if g, ok := s.trace(source, rule, seen); ok {
				return g, true
			}
		}
	}
	return Gathered{}, false
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
