package fieldowner

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"coracle/apiserver/catalog"
)

// What applying to parts of an object makes of it is what applying to the whole makes of it, conflicts included.
func TestAppliesAsToTheWhole(t *testing.T) {
	owners := owners(t)
	seed := rand.Uint64()
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
					manager, force := []string{"one", "other"}[rnd.IntN(2)], rnd.IntN(2) == 0
					before := text(t, live)
					want, wantErr := upstream(t, owners, k, "").Apply(live.DeepCopyObject(), wanted.DeepCopy(), manager, force)
					got, gotErr := owners.Apply(k, "", live, wanted.DeepCopy(), manager, force)
					if text(t, live) != before {
						t.Fatalf("%s: the live object was changed", where)
					}
					if message(wantErr) != message(gotErr) {
						if gotErr == nil {
							break // what the applied part does not touch cannot be merged, and need not be
						}
						t.Fatalf("%s: error %v, and to the whole: %v\n%s\n%s", where, gotErr, wantErr, before, text(t, wanted))
					}
					if wantErr != nil {
						continue
					}
					if diff := cmp.Diff(content(t, want), content(t, got)); diff != "" {
						t.Fatalf("%s (-whole +part):\n%s\n%s\n%s", where, diff, before, text(t, wanted))
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
