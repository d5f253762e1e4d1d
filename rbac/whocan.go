package rbac

import (
	"cmp"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Holder is somebody who may do something, and how they come to it.
type Holder struct {
	Subject rbacv1.Subject `json:"subject"`
	Via     []Way          `json:"via"`
}

// WhoCan lists the subjects that the policy allows the request, whoever Attributes.User is: groups first, then
// users, then service accounts. Members of system:masters may do everything besides, by another authorizer.
func (s *Snapshot) WhoCan(a *Attributes) []Holder {
	at := map[rbacv1.Subject]int{}
	var holders []Holder
	for _, b := range s.bindings.all() {
		if b.Namespace != "" && b.Namespace != a.Namespace {
			continue
		}
		role, found := s.roles.get(b.roleKey())
		if !found {
			continue
		}
		rule := role.ruleFor(a)
		if rule < 0 {
			continue
		}
		for _, subject := range b.Subjects {
			if _, ok := b.holderOf(subject); !ok {
				continue
			}
			if subject.Kind == rbacv1.ServiceAccountKind {
				subject.Namespace = cmp.Or(subject.Namespace, b.Namespace)
			}
			subject.APIGroup = ""
			i, known := at[subject]
			if !known {
				i = len(holders)
				at[subject] = i
				holders = append(holders, Holder{Subject: subject})
			}
			way := Way{Subject: subject, Binding: b.ref(), Role: role.ref(), Rule: &rule, Allows: &role.Rules[rule]}
			holders[i].Via = append(holders[i].Via, way)
		}
	}
	order := []string{rbacv1.GroupKind, rbacv1.UserKind, rbacv1.ServiceAccountKind}
	slices.SortFunc(holders, func(x, y Holder) int {
		return cmp.Or(
			cmp.Compare(slices.Index(order, x.Subject.Kind), slices.Index(order, y.Subject.Kind)),
			cmp.Compare(x.Subject.Namespace, y.Subject.Namespace),
			cmp.Compare(x.Subject.Name, y.Subject.Name))
	})
	for _, h := range holders {
		slices.SortFunc(h.Via, func(x, y Way) int {
			return cmp.Or(cmp.Compare(x.Binding.Namespace, y.Binding.Namespace), cmp.Compare(x.Binding.Name, y.Binding.Name))
		})
	}
	return holders
}
