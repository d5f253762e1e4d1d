package fieldowner

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "sigs.k8s.io/json"

	"coracle/apiserver/catalog"
)

// What applying to parts of an object makes of it is what applying to the whole makes of it, conflicts included.
func TestAppliesAsToTheWhole(t *testing.T) {
	owners := owners(t)
	seed := rand.Uint64()
	certain := 0 // how many are merged without the schema's machinery
	for _, k := range catalog.Builtin() {
		if owners.shape(k) == nil {
			continue
		}
		t.Run(k.Qualified().String(), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 2))
			for n := range objectsPerKind / 4 {
				live := k.New() // as it is read from a store
				if err := json.Unmarshal([]byte(text(t, random(t, k, rnd))), live); err != nil {
					t.Fatal(err)
				}
				live.(metav1.Object).SetUID("here")
				owners.Note(k, "", live, nil, "maker", time.Now())
				for step := range 4 {
					where := fmt.Sprintf("object %d, step %d of seed %d", n, step, seed)
					wanted := some(t, k, rnd)
					if rnd.IntN(2) == 0 {
						wanted = controlled(t, k, live, rnd)
					}
					manager, force := []string{"one", "other"}[rnd.IntN(2)], rnd.IntN(2) == 0
					sub := ""
					if _, has := k.Subresource("status"); has && rnd.IntN(4) == 0 {
						sub = "status"
					}
					got, how := appliesAlike(t, owners, k, sub, live, wanted, manager, force, where)
					if how == mergedAtOnce {
						certain++
					}
					if how == failedElsewhere {
						break
					}
					if got == nil {
						continue
					}
					live = got
					if rnd.IntN(2) == 0 { // somebody else comes to own something in between
						changed := live.DeepCopyObject()
						changed.(metav1.Object).SetLabels(map[string]string{"step": fmt.Sprint(step)})
						changed.(metav1.Object).SetFinalizers([]string{fmt.Sprint("example.com/", rnd.IntN(3))})
						owners.Note(k, "", changed, live, "editor", time.Now())
						live = changed
					}
				}
			}
		})
	}
	if certain < 100 {
		t.Errorf("of random objects only %d were merged at once", certain)
	}
}

// Pods as people write them are merged alike, with lists in any order.
func TestAppliesToPodsAsToTheWhole(t *testing.T) {
	owners := owners(t)
	pods := catalog.Builtin()[slices.IndexFunc(catalog.Builtin(), func(k *catalog.Kind) bool { return k.Resource == "pods" })]
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 3))
	const n = 150
	outcomes := map[outcome]int{}
	for i := range n {
		var live runtime.Object = &corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: metav1.ObjectMeta{Name: "it", Namespace: "blue"}}
		if rnd.IntN(3) > 0 {
			if err := json.Unmarshal([]byte(text(t, sensible(rnd))), live); err != nil {
				t.Fatal(err)
			}
			live.(metav1.Object).SetUID("here")
			owners.Note(pods, "", live, nil, "maker", time.Now())
		}
		wanted := map[string]*unstructured.Unstructured{}
		for step := range 6 {
			manager := []string{"one", "other", "kubectl"}[rnd.IntN(3)]
			if last := wanted[manager]; last == nil || rnd.IntN(3) == 0 {
				wanted[manager] = sensible(rnd)
			} else if rnd.IntN(2) == 0 {
				last.SetLabels(map[string]string{"app": fmt.Sprint(rnd.IntN(3)), "more": fmt.Sprint(step)})
			}
			got, how := appliesAlike(t, owners, pods, "", live, wanted[manager], manager, rnd.IntN(3) > 0, fmt.Sprintf("pod %d, step %d of seed %d", i, step, seed))
			outcomes[how]++
			if got != nil {
				got.(metav1.Object).SetUID("here")
				live = got
			}
		}
	}
	if outcomes[mergedAtOnce] < n || outcomes[mergedElsewhere] < n || outcomes[failedAlike] == 0 {
		t.Errorf("merged at once, elsewhere, and refused: %v", outcomes)
	}
}

// sensible is some of a pod as people write it.
func sensible(rnd *rand.Rand) *unstructured.Unstructured {
	some := func(most int, item func(i int) any) []any {
		var out []any
		for _, i := range rnd.Perm(most)[:rnd.IntN(most+1)] {
			out = append(out, item(i))
		}
		return out
	}
	one := func(of ...any) any { return of[rnd.IntN(len(of))] }
	or := func(seldom, often any) any { // what is written otherwise than it is given
		if rnd.IntN(40) == 0 {
			return seldom
		}
		return often
	}
	spec := map[string]any{
		"containers": append(some(3, func(i int) any {
			c := map[string]any{"name": string(rune('a' + i)), "image": one("image:1", "image:2")}
			if env := some(4, func(i int) any { return map[string]any{"name": string(rune('w' + i)), "value": or("", one("1", "2"))} }); env != nil {
				c["env"] = env
			}
			if ports := some(2, func(i int) any {
				p := map[string]any{"containerPort": int64(80 + i)}
				if protocol := one("TCP", or("", "UDP"), nil); protocol != nil {
					p["protocol"] = protocol
				}
				return p
			}); ports != nil {
				c["ports"] = ports
			}
			if rnd.IntN(2) == 0 {
				c["command"] = []any{"run", one("fast", "slow")}
				c["resources"] = map[string]any{"limits": map[string]any{"cpu": or("1000m", one("1", "100m")), "memory": or(int64(1), "1Gi")}}
			}
			if rnd.IntN(3) == 0 {
				c["readinessProbe"] = map[string]any{"httpGet": map[string]any{"path": "/", "port": one(int64(80), "web")}, "periodSeconds": or(int64(0), int64(1))}
			}
			return c
		}), map[string]any{"name": "main", "image": "main:1"}),
		"terminationGracePeriodSeconds": int64(rnd.IntN(2)),
	}
	if volumes := some(3, func(i int) any {
		v := map[string]any{"name": string(rune('u' + i)), "emptyDir": map[string]any{}}
		if rnd.IntN(3) == 0 {
			v["emptyDir"] = map[string]any{"medium": "Memory"}
		}
		return v
	}); volumes != nil {
		spec["volumes"] = volumes
	}
	for key, below := range map[string]any{"securityContext": map[string]any{}, "nodeSelector": map[string]any{}, "initContainers": []any{}, "hostname": nil, "hostNetwork": false} {
		if rnd.IntN(40) == 0 {
			spec[key] = below
		}
	}
	if rnd.IntN(2) == 0 {
		spec["tolerations"] = []any{map[string]any{"key": one("a", "b"), "operator": "Exists"}}
		spec["securityContext"] = map[string]any{"runAsUser": int64(rnd.IntN(3)), "supplementalGroups": []any{int64(1)}}
	}
	metadata := map[string]any{"name": "it", "namespace": "blue"}
	if rnd.IntN(2) == 0 {
		metadata["labels"] = map[string]any{"app": one("0", "1"), "of": "one"}
		metadata["finalizers"] = append(some(2, func(i int) any { return fmt.Sprint("example.com/", i) }), "example.com/all")
		metadata["ownerReferences"] = []any{map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": one("1", "2")}}
	}
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}}
}

// outcome is what has become of something that was applied.
type outcome string

const (
	mergedAtOnce    outcome = "at once"
	mergedElsewhere outcome = "elsewhere"
	failedAlike     outcome = "refused"
	failedElsewhere outcome = "only the whole is refused"
)

// appliesAlike applies to a live object and to the whole, and fails if that is not the same, times and conflicts included.
func appliesAlike(t *testing.T, owners *Owners, k *catalog.Kind, sub string, live runtime.Object, wanted *unstructured.Unstructured, manager string, force bool, where string) (runtime.Object, outcome) {
	t.Helper()
	before := text(t, live)
	want, wantErr := upstream(t, owners, k, sub).Apply(live.DeepCopyObject(), wanted.DeepCopy(), manager, force)
	entry := metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationApply, APIVersion: k.GroupVersion().String(), FieldsType: fieldsType, Subresource: sub}
	_, once := owners.shape(k).apply(k, live, wanted.DeepCopy().Object, entry, force)
	got, gotErr := owners.Apply(k, sub, live, wanted.DeepCopy(), manager, force)
	if text(t, live) != before {
		t.Fatalf("%s: the live object was changed", where)
	}
	if message(wantErr) != message(gotErr) {
		if gotErr == nil && !apierrors.IsConflict(wantErr) && !strings.Contains(wantErr.Error(), "typed patch") {
			return nil, failedElsewhere // what the applied part does not touch cannot be merged, and need not be
		}
		t.Fatalf("%s: error %v, and to the whole: %v\n%s\n%s", where, gotErr, wantErr, before, text(t, wanted))
	}
	if wantErr != nil {
		return nil, failedAlike
	}
	if diff := cmp.Diff(content(t, want), content(t, got)); diff != "" {
		t.Fatalf("%s (-whole +part):\n%s\n%s\n%s", where, diff, before, text(t, wanted))
	}
	if diff := cmp.Diff(times(live, want), times(live, got)); diff != "" {
		t.Fatalf("%s: the times (-whole +part):\n%s\n%s\n%s", where, diff, before, text(t, wanted))
	}
	if once {
		return got, mergedAtOnce
	}
	return got, mergedElsewhere
}

// controlled is some of an object, a little changed, as a controller applies it: without what says nothing.
func controlled(t *testing.T, k *catalog.Kind, live runtime.Object, rnd *rand.Rand) *unstructured.Unstructured {
	t.Helper()
	obj := live.DeepCopyObject()
	if rnd.IntN(3) > 0 {
		alter(reflect.ValueOf(obj).Elem(), rnd, 4)
	}
	if rnd.IntN(6) == 0 {
		alter(reflect.ValueOf(obj).Elem(), rnd, 9)
	}
	obj.(metav1.Object).SetManagedFields(nil)
	var all map[string]any
	if err := kjson.UnmarshalCaseSensitivePreserveInts([]byte(text(t, obj)), &all); err != nil {
		t.Fatal(err)
	}
	for key := range all {
		if rnd.IntN(4) == 0 {
			delete(all, key)
		} else if below, ok := all[key].(map[string]any); ok && rnd.IntN(3) == 0 {
			thin(below, rnd)
		}
	}
	u := &unstructured.Unstructured{}
	u.Object, _ = saying(all).(map[string]any)
	if u.Object == nil {
		u.Object = map[string]any{}
	}
	u.SetGroupVersionKind(k.GroupVersionKind)
	return u
}

// saying is a tree without what is empty.
func saying(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, below := range v {
			if v[key] = saying(below); v[key] == nil {
				delete(v, key)
			}
		}
		if len(v) > 0 {
			return v
		}
	case []any:
		var out []any
		for _, below := range v {
			if below = saying(below); below != nil {
				out = append(out, below)
			}
		}
		if len(out) > 0 {
			return out
		}
	case string, int64, bool:
		if !reflect.ValueOf(v).IsZero() {
			return v
		}
	}
	return nil
}

// times tells of each manager whether it has a time, and whether that is the one that it had.
func times(live, obj runtime.Object) map[string]string {
	all := map[string]string{}
	for _, e := range obj.(metav1.Object).GetManagedFields() {
		name := e.Manager + " " + string(e.Operation) + " " + e.Subresource
		all[name] = "new"
		if e.Time == nil {
			all[name] = "none"
		}
		for _, had := range live.(metav1.Object).GetManagedFields() {
			if sameManager(&had, &e) && e.Time != nil && e.Time.Equal(had.Time) {
				all[name] = "kept"
			}
		}
	}
	return all
}

// message is an error's lines in order: upstream goes through maps.
func message(err error) string {
	lines := strings.Split(fmt.Sprint(err), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// some is part of a random object, as somebody applies it.
func some(t *testing.T, k *catalog.Kind, rnd *rand.Rand) *unstructured.Unstructured {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(text(t, random(t, k, rnd))), &all); err != nil {
		t.Fatal(err)
	}
	thin(all, rnd)
	u := &unstructured.Unstructured{Object: all}
	u.SetGroupVersionKind(k.GroupVersionKind)
	return u
}

func thin(m map[string]any, rnd *rand.Rand) {
	for key, v := range m {
		switch below, ok := v.(map[string]any); {
		case rnd.IntN(3) == 0:
			delete(m, key)
		case ok:
			thin(below, rnd)
		}
	}
}

// content is an object without the times of its owners.
func content(t *testing.T, obj runtime.Object) map[string]any {
	t.Helper()
	owned := entries(t, obj)
	obj = obj.DeepCopyObject()
	obj.(metav1.Object).SetManagedFields(nil)
	var all map[string]any
	if err := json.Unmarshal([]byte(text(t, obj)), &all); err != nil {
		t.Fatal(err)
	}
	delete(all, "apiVersion") // which the pipeline sets again
	delete(all, "kind")
	all["owners"] = owned
	return all
}

// A list that is owned as a whole is looked into all the same: what is below it may be a set.
func TestApplyRefusesWhatIsTwiceInsideAWhole(t *testing.T) {
	owners := owners(t)
	slices := catalog.Builtin()[slices.IndexFunc(catalog.Builtin(), func(k *catalog.Kind) bool { return k.Resource == "endpointslices" })]
	live := slices.New()
	live.(metav1.Object).SetName("it")
	for addresses, refused := range map[string]bool{`["b"]`: false, `["b","c"]`: false, `["b","b"]`: true} {
		wanted := &unstructured.Unstructured{}
		body := `{"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{"name":"it"},"addressType":"IPv4","endpoints":[{"addresses":` + addresses + `,"conditions":{}}]}`
		if err := json.Unmarshal([]byte(body), &wanted.Object); err != nil {
			t.Fatal(err)
		}
		_, err := owners.Apply(slices, "", live, wanted, "one", false)
		if (err != nil) != refused || refused && !strings.Contains(err.Error(), `duplicate entries for key [="b"]`) {
			t.Errorf("%s: %v", addresses, err)
		}
	}
}
