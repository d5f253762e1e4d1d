package rbac

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"pgregory.net/rapid"
)

func TestWorlds_EveryVerdictIsTheNaiveOne(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s, a := drawWorld(r)
		granting := naive(s, a)
		d, e := s.Authorize(a), s.Explain(a)
		if d.Allowed != (len(granting) > 0) {
			t.Fatalf("%v by %s: allowed is %v, want granting bindings %v", a, a.User.GetName(), d.Allowed, granting)
		}
		if e.Allowed != d.Allowed || e.Reason != d.Reason() {
			t.Fatalf("the explanation says %v %q, the evaluator %v %q", e.Allowed, e.Reason, d.Allowed, d.Reason())
		}
		var explained []string
		for _, w := range e.Grants {
			explained = append(explained, w.Binding.Namespace+"/"+w.Binding.Name)
		}
		slices.Sort(granting)
		slices.Sort(explained)
		if !slices.Equal(granting, explained) {
			t.Fatalf("%v by %s: explained by %v, want %v", a, a.User.GetName(), explained, granting)
		}
		if d.Allowed && !strings.HasPrefix(d.Reason(), "RBAC: allowed by ") {
			t.Fatalf("reason is %q", d.Reason())
		}
		if d.Allowed && !Allows(&d.By.Role.Rules[d.By.Rule], a) {
			t.Fatalf("rule %d of %v does not allow %v", d.By.Rule, d.By.Role, a)
		}
	})
}

func TestWorlds_IndexFollowsEveryChange(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		live, d := newSnapshot(), draw{r, drawRequest(r)}
		for range rapid.IntRange(1, 30).Draw(r, "changes") {
			obj := d.binding()
			if rapid.IntRange(0, 2).Draw(r, "change a role") == 0 {
				obj = d.role()
			}
			if rapid.IntRange(0, 2).Draw(r, "delete") == 0 {
				live = live.Without(obj)
			} else {
				live = live.With(obj)
			}
		}
		fresh := newSnapshot()
		for _, role := range live.roles.all() {
			fresh = fresh.With(role.Object())
		}
		for _, b := range live.bindings.all() {
			fresh = fresh.With(b.Object())
		}
		if live.held.len() != fresh.held.len() {
			t.Fatalf("%d holders are known after the changes, %d in a fresh index", live.held.len(), fresh.held.len())
		}
		for h, list := range live.held.all() {
			want, _ := fresh.held.get(h)
			if !slices.EqualFunc(list, want, sameHolding) {
				t.Fatalf("%+v holds %v after the changes, %v in a fresh index", h, list, want)
			}
		}
	})
}

func sameHolding(x, y holding) bool {
	return x.role == y.role && slices.EqualFunc(x.bindings, y.bindings, func(a, b *Binding) bool { return a.key() == b.key() })
}

func TestWorlds_OldSnapshotsStayAsTheyWere(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s, a := drawWorld(r)
		before := s.Explain(a)
		for _, role := range s.roles.all() {
			s.Without(role.Object())
		}
		for _, b := range s.bindings.all() {
			s.Without(b.Object())
		}
		s.With(draw{r, a}.binding(), draw{r, a}.role())
		if after := s.Explain(a); after.Allowed != before.Allowed || after.Reason != before.Reason || len(after.NearMisses) != len(before.NearMisses) {
			t.Fatalf("was %+v, is %+v", before, after)
		}
	})
}

// Two changes tried on one snapshot must not meet, although the results share most of their memory.
func TestWorlds_BranchesDoNotDisturbOneAnother(t *testing.T) {
	for bindings := range 9 {
		s := newSnapshot()
		for i := range bindings {
			s = s.With(object(t, fmt.Sprintf("binding b%d: ClusterRole/r -> User/ann", i)), object(t, fmt.Sprintf("binding c%d: ClusterRole/q%d -> User/bob", i, i)))
		}
		left := s.With(object(t, "binding left: ClusterRole/r -> User/ann"), object(t, "binding left2: ClusterRole/left -> User/bob"))
		s.With(object(t, "binding right: ClusterRole/r -> User/ann"), object(t, "binding right2: ClusterRole/right -> User/bob"))
		for _, list := range left.held.all() {
			for _, h := range list {
				for _, b := range h.bindings {
					if strings.HasPrefix(b.Name, "right") {
						t.Fatalf("with %d bindings, %s is in a snapshot that it was never added to", bindings, b.Name)
					}
				}
			}
		}
	}
}

func TestWorlds_RepairOfEachNearMissAllowsTheRequest(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s, a := drawWorld(r)
		e := s.Explain(a)
		if e.Allowed && len(e.NearMisses) > 0 {
			t.Fatalf("%v is allowed and has near misses %v", a, e.NearMisses)
		}
		for _, m := range e.NearMisses {
			if m.Says == "" || m.Repair.Says == "" || len(m.Repair.Objects) == 0 {
				t.Fatalf("a near miss without words or repair: %+v", m)
			}
			if !settle(s.With(m.Repair.Objects...)).Authorize(a).Allowed {
				t.Fatalf("%v by %s is not allowed after the repair.\n%s\n%s\n%+v", a, a.User.GetName(), m.Says, m.Repair.Says, m.Repair.Objects)
			}
		}
	})
}

// The properties above say little if the generator makes dull worlds.
func TestWorlds_HaveEverythingInThem(t *testing.T) {
	seen := map[string]int{}
	worlds := rapid.Custom(func(r *rapid.T) *Explanation {
		s, a := drawWorld(r)
		return s.Explain(a)
	})
	for seed := range 6000 {
		e := worlds.Example(seed)
		seen[fmt.Sprint("allowed: ", e.Allowed)]++
		for _, m := range e.NearMisses {
			seen[string(m.Link)]++
		}
		if e.Smallest != nil && len(e.Smallest.Objects) == 1 {
			seen["role reused"]++
		}
	}
	t.Log(seen)
	wanted := []string{"allowed: true", "allowed: false", "role reused"}
	for _, link := range nearestFirst {
		wanted = append(wanted, string(link))
	}
	for _, w := range wanted {
		if seen[w] < 10 {
			t.Errorf("%s occurred %d times in 6000 worlds", w, seen[w])
		}
	}
}

func TestWorlds_SmallestGrantAllowsTheRequestAndNothingElse(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s, a := drawWorld(r)
		g, ok := s.SmallestGrant(a)
		if ok == s.Authorize(a).Allowed {
			t.Fatalf("%v by %s: allowed and grant are both %v", a, a.User.GetName(), ok)
		}
		if !ok {
			return
		}
		checkSmall(t, a, g.Objects)
		after := settle(s.With(g.Objects...))
		if !after.Authorize(a).Allowed {
			t.Fatalf("%v by %s is not allowed after %+v", a, a.User.GetName(), g.Objects)
		}
		for other := range everyRequest {
			if after.Authorize(other).Allowed && !s.Authorize(other).Allowed && !includes(a, other) {
				t.Fatalf("the grant for %v by %s also allows %v by %s: %+v", a, a.User.GetName(), other, other.User.GetName(), g.Objects)
			}
		}
	})
}

// includes tells whether whoever may do a may do the other as well, by the way that rules are made: all names
// include each name, and everywhere includes each namespace.
func includes(a, other *Attributes) bool {
	x := *other
	if a.Name == "" {
		x.Name = ""
	}
	if a.Namespace == "" {
		x.Namespace = ""
	}
	return x.User.GetName() == a.User.GetName() && x.String() == a.String()
}

func checkSmall(t *testing.T, a *Attributes, objs []runtime.Object) {
	for _, obj := range objs {
		role, binding := from(obj)
		if role != nil {
			for _, rule := range role.Rules {
				if stars := slices.Concat(rule.Verbs, rule.APIGroups, rule.Resources, rule.NonResourceURLs); slices.ContainsFunc(stars, func(s string) bool { return strings.Contains(s, "*") }) {
					t.Fatalf("a star in %+v", rule)
				}
			}
			if role.Namespace != a.Namespace {
				t.Fatalf("%v for a request in namespace %q", role, a.Namespace)
			}
		}
		if binding != nil && (binding.Namespace != a.Namespace || len(binding.Subjects) != 1 || binding.Subjects[0].Kind == rbacv1.GroupKind) {
			t.Fatalf("%+v for a request by %s in namespace %q", binding, a.User.GetName(), a.Namespace)
		}
	}
}

func TestWorlds_WhoCanAgreesWithEverybodyAsked(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s, a := drawWorld(r)
		holders := s.WhoCan(a)
		for _, u := range people {
			asked := *a
			asked.User = u
			listed := slices.ContainsFunc(holders, func(h Holder) bool {
				b := Binding{Subjects: []rbacv1.Subject{h.Subject}}
				_, ok := b.subjectFor(u)
				return ok
			})
			if allowed := s.Authorize(&asked).Allowed; allowed != listed {
				t.Fatalf("%s: allowed is %v, listed is %v in %+v", u.GetName(), allowed, listed, holders)
			}
		}
	})
}
