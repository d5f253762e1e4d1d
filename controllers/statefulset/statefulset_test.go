package statefulset_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"coracle/controllers/looptest"
	"coracle/controllers/statefulset"
)

var db = map[string]string{"app": "db"}

func set(replicas int32, change ...func(*appsv1.StatefulSet)) *appsv1.StatefulSet {
	s := &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "db", UID: "db"},
		Spec: appsv1.StatefulSetSpec{
			Replicas: &replicas, ServiceName: "dbs", RevisionHistoryLimit: new(int32(10)),
			Selector:            &metav1.LabelSelector{MatchLabels: db},
			Template:            v1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: db}, Spec: v1.PodSpec{NodeName: "v1"}},
			PodManagementPolicy: appsv1.OrderedReadyPodManagement,
			UpdateStrategy:      appsv1.StatefulSetUpdateStrategy{Type: appsv1.RollingUpdateStatefulSetStrategyType, RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{Partition: new(int32(0))}},
		},
	}
	for _, c := range change {
		c(s)
	}
	return s
}

type world struct {
	*looptest.World
	t *testing.T
}

func run(t *testing.T, s *appsv1.StatefulSet, body func(w world)) {
	t.Helper()
	looptest.Run(t, []runtime.Object{s}, func(t *testing.T, w *looptest.World) {
		w.Start(statefulset.New(w.Client, w.Factory, w.Log))
		body(world{w, t})
	})
}

func (w world) pods() []v1.Pod {
	w.t.Helper()
	list, err := w.Client.CoreV1().Pods("default").List(w.t.Context(), metav1.ListOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.SortFunc(list.Items, func(a, b v1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return list.Items
}

// want compares the pods, as NAME:VERSION with a + for those that are ready. (The version is where a template keeps it here.)
func (w world) want(what, pods string) {
	w.t.Helper()
	var got []string
	for _, p := range w.pods() {
		text := p.Name + ":" + p.Spec.NodeName
		if len(p.Status.Conditions) > 0 {
			text += "+"
		}
		got = append(got, text)
	}
	if s := strings.Join(got, " "); s != pods {
		w.t.Errorf("%s: %q, want %q", what, s, pods)
	}
}

// ready makes so many of the pods ready that are not, one after the other.
func (w world) ready(n int) {
	w.t.Helper()
	for range n {
		pods := w.pods()
		i := slices.IndexFunc(pods, func(p v1.Pod) bool { return len(p.Status.Conditions) == 0 })
		if i < 0 {
			return
		}
		p := pods[i]
		p.Status.Phase = v1.PodRunning
		p.Status.Conditions = []v1.PodCondition{{Type: v1.PodReady, Status: v1.ConditionTrue, LastTransitionTime: metav1.Now()}}
		if _, err := w.Client.CoreV1().Pods("default").UpdateStatus(w.t.Context(), &p, metav1.UpdateOptions{}); err != nil {
			w.t.Fatal(err)
		}
		w.Settle()
	}
}

func (w world) get() *appsv1.StatefulSet {
	w.t.Helper()
	s, err := w.Client.AppsV1().StatefulSets("default").Get(w.t.Context(), "db", metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w world) change(how func(*appsv1.StatefulSet)) {
	w.t.Helper()
	s := w.get()
	how(s)
	if _, err := w.Client.AppsV1().StatefulSets("default").Update(w.t.Context(), s, metav1.UpdateOptions{}); err != nil {
		w.t.Fatal(err)
	}
	w.Settle()
}

func version(v string) func(*appsv1.StatefulSet) {
	return func(s *appsv1.StatefulSet) { s.Spec.Template.Spec.NodeName = v }
}

func replicas(n int32) func(*appsv1.StatefulSet) {
	return func(s *appsv1.StatefulSet) { s.Spec.Replicas = &n }
}

func TestOrder(t *testing.T) {
	t.Run("one pod after the other, and back", func(t *testing.T) {
		run(t, set(3), func(w world) {
			w.want("at first", "db-0:v1")
			w.ready(1)
			w.want("when that is ready", "db-0:v1+ db-1:v1")
			w.ready(2)
			w.want("all", "db-0:v1+ db-1:v1+ db-2:v1+")
			w.change(replicas(1))
			w.want("scaled down", "db-0:v1+")
		})
	})
	t.Run("a pod that does not serve holds up the others", func(t *testing.T) {
		run(t, set(1), func(w world) {
			w.change(replicas(3))
			w.want("as long as the first is not ready", "db-0:v1")
		})
	})
	t.Run("all at once, where that is asked for", func(t *testing.T) {
		run(t, set(3, func(s *appsv1.StatefulSet) { s.Spec.PodManagementPolicy = appsv1.ParallelPodManagement }), func(w world) {
			w.want("at once", "db-0:v1 db-1:v1 db-2:v1")
			w.change(replicas(0))
			w.want("and away", "")
		})
	})
	t.Run("numbers may begin elsewhere", func(t *testing.T) {
		run(t, set(2, func(s *appsv1.StatefulSet) { s.Spec.Ordinals = &appsv1.StatefulSetOrdinals{Start: 5} }), func(w world) {
			w.ready(2)
			w.want("pods", "db-5:v1+ db-6:v1+")
		})
	})
	t.Run("a pod that has ended is made anew under its name", func(t *testing.T) {
		run(t, set(2), func(w world) {
			w.ready(2)
			p := w.pods()[0]
			p.Status.Phase = v1.PodFailed
			if _, err := w.Client.CoreV1().Pods("default").UpdateStatus(t.Context(), &p, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			w.Settle()
			w.want("pods", "db-0:v1 db-1:v1+")
		})
	})
}

func TestIdentity(t *testing.T) {
	run(t, set(1), func(w world) {
		p := w.pods()[0]
		got := map[string]string{
			"host": p.Spec.Hostname, "subdomain": p.Spec.Subdomain, "index": p.Labels[appsv1.PodIndexLabel],
			"name": p.Labels[appsv1.StatefulSetPodNameLabel],
		}
		if diff := cmp.Diff(map[string]string{"host": "db-0", "subdomain": "dbs", "index": "0", "name": "db-0"}, got); diff != "" {
			t.Errorf("identity (-want +got):\n%s", diff)
		}
		if got, want := p.Labels[appsv1.StatefulSetRevisionLabel], w.get().Status.UpdateRevision; got != want {
			t.Errorf("revision %q, want %q", got, want)
		}
	})
}

func TestRollingUpdate(t *testing.T) {
	t.Run("from the highest number down, one at a time", func(t *testing.T) {
		run(t, set(3), func(w world) {
			w.ready(3)
			first := w.get().Status.CurrentRevision
			w.change(version("v2"))
			w.want("at first", "db-0:v1+ db-1:v1+ db-2:v2")
			if s := w.get().Status; s.CurrentRevision != first || s.UpdateRevision == first || s.UpdatedReplicas != 1 || s.CurrentReplicas != 2 {
				t.Errorf("status %+v", s)
			}
			w.ready(1)
			w.want("when that is ready", "db-0:v1+ db-1:v2 db-2:v2+")
			w.ready(2)
			w.want("in the end", "db-0:v2+ db-1:v2+ db-2:v2+")
			if s := w.get().Status; s.CurrentRevision != s.UpdateRevision || s.CurrentReplicas != 3 || s.UpdatedReplicas != 3 || s.AvailableReplicas != 3 {
				t.Errorf("status %+v", s)
			}
		})
	})
	t.Run("those below the partition stay, even when they are made anew", func(t *testing.T) {
		run(t, set(3, func(s *appsv1.StatefulSet) { s.Spec.UpdateStrategy.RollingUpdate.Partition = new(int32(2)) }), func(w world) {
			w.ready(3)
			w.change(version("v2"))
			w.ready(1)
			w.want("updated", "db-0:v1+ db-1:v1+ db-2:v2+")
			if err := w.Client.CoreV1().Pods("default").Delete(t.Context(), "db-1", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			w.Settle()
			w.ready(1)
			w.want("made anew", "db-0:v1+ db-1:v1+ db-2:v2+")
		})
	})
	t.Run("only on deletion, where that is asked for", func(t *testing.T) {
		run(t, set(1, func(s *appsv1.StatefulSet) { s.Spec.UpdateStrategy.Type = appsv1.OnDeleteStatefulSetStrategyType }), func(w world) {
			w.ready(1)
			w.change(version("v2"))
			w.want("at first", "db-0:v1+")
			if err := w.Client.CoreV1().Pods("default").Delete(t.Context(), "db-0", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			w.Settle()
			w.want("after the deletion", "db-0:v2")
		})
	})
}

func TestClaims(t *testing.T) {
	claims := func(scaled, deleted appsv1.PersistentVolumeClaimRetentionPolicyType) func(*appsv1.StatefulSet) {
		return func(s *appsv1.StatefulSet) {
			s.Spec.VolumeClaimTemplates = []v1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "data"}}}
			s.Spec.PersistentVolumeClaimRetentionPolicy = &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{WhenScaled: scaled, WhenDeleted: deleted}
		}
	}
	const retain, remove = appsv1.RetainPersistentVolumeClaimRetentionPolicyType, appsv1.DeletePersistentVolumeClaimRetentionPolicyType
	for _, test := range []struct {
		name            string
		scaled, deleted appsv1.PersistentVolumeClaimRetentionPolicyType
		owners          string // of each claim, after the set has been scaled to 1
	}{
		{"claims stay", retain, retain, "data-db-0: data-db-1:"},
		{"claims go with the set", retain, remove, "data-db-0:StatefulSet data-db-1:StatefulSet"},
		{"claims go with their pods when those are no longer wanted", remove, retain, "data-db-0: data-db-1:Pod"},
		{"claims go with either", remove, remove, "data-db-0:StatefulSet data-db-1:Pod"},
	} {
		t.Run(test.name, func(t *testing.T) {
			run(t, set(2, claims(test.scaled, test.deleted)), func(w world) {
				w.ready(2)
				if v := w.pods()[1].Spec.Volumes; len(v) != 1 || v[0].PersistentVolumeClaim.ClaimName != "data-db-1" {
					t.Errorf("volumes %+v", v)
				}
				w.change(replicas(1))
				list, err := w.Client.CoreV1().PersistentVolumeClaims("default").List(t.Context(), metav1.ListOptions{})
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, c := range list.Items {
					text := c.Name + ":"
					for _, ref := range c.OwnerReferences {
						text += ref.Kind
					}
					got = append(got, text)
				}
				slices.Sort(got)
				if s := strings.Join(got, " "); s != test.owners {
					t.Errorf("claims %q, want %q", s, test.owners)
				}
			})
		})
	}
}
