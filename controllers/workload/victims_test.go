package workload_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"coracle/controllers/workload"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func pod(name string, change ...func(*v1.Pod)) *v1.Pod {
	p := &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), CreationTimestamp: metav1.NewTime(now.Add(-time.Hour))},
		Spec:       v1.PodSpec{NodeName: "node-1"},
		Status:     v1.PodStatus{Phase: v1.PodRunning},
	}
	readyFor(time.Hour)(p)
	for _, c := range change {
		c(p)
	}
	return p
}

func readyFor(d time.Duration) func(*v1.Pod) {
	return func(p *v1.Pod) {
		p.Status.Conditions = []v1.PodCondition{{Type: v1.PodReady, Status: v1.ConditionTrue, LastTransitionTime: metav1.NewTime(now.Add(-d))}}
	}
}

func notReady(p *v1.Pod)   { p.Status.Conditions = nil }
func pending(p *v1.Pod)    { p.Status.Phase = v1.PodPending }
func unassigned(p *v1.Pod) { p.Spec.NodeName = "" }
func restarted(p *v1.Pod)  { p.Status.ContainerStatuses = []v1.ContainerStatus{{RestartCount: 3}} }
func elsewhere(p *v1.Pod)  { p.Spec.NodeName = "node-2" }
func young(p *v1.Pod)      { p.CreationTimestamp = metav1.NewTime(now.Add(-time.Second)) }

func cost(c string) func(*v1.Pod) {
	return func(p *v1.Pod) { p.Annotations = map[string]string{v1.PodDeletionCost: c} }
}

func TestVictims(t *testing.T) {
	tests := []struct {
		name string
		goes *v1.Pod
		stay *v1.Pod
	}{
		{"a pod without a node goes before one that has one", pod("z", unassigned), pod("a", pending, notReady)},
		{"a pending pod goes before a running one", pod("z", pending), pod("a", notReady)},
		{"a pod that is not ready goes before one that is", pod("z", notReady), pod("a", cost("-5"))},
		{"a cheap pod goes before a dear one", pod("z", cost("-1")), pod("a", elsewhere)},
		{"a cost that is no number counts as 0", pod("z", cost("-1")), pod("a", cost("1e3"))},
		{"a pod that has become ready goes before one that has long been", pod("z", readyFor(time.Second)), pod("a", restarted)},
		{"a pod that was restarted goes before one that was not", pod("z", restarted), pod("a", young)},
		{"a young pod goes before an old one", pod("z", young), pod("a")},
		{"of pods of about the same age chance decides", pod("a"), pod("z", func(p *v1.Pod) { p.CreationTimestamp = metav1.NewTime(now.Add(-time.Hour - 1)) })},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, pods := range [][]*v1.Pod{{test.goes, test.stay}, {test.stay, test.goes}} {
				if got := workload.Victims(pods, nil, 1, now)[0]; got != test.goes {
					t.Errorf("%s goes, want %s", got.Name, test.goes.Name)
				}
			}
		})
	}
	t.Run("a pod on a node that has more of its kind goes first", func(t *testing.T) {
		a, b, c := pod("a", elsewhere), pod("b"), pod("c")
		got := workload.Victims([]*v1.Pod{a, b, c}, []*v1.Pod{a, b, c}, 1, now)
		if got[0] == a {
			t.Error("the only pod on node-2 goes")
		}
	})
}

func TestAvailable(t *testing.T) {
	for _, test := range []struct {
		name      string
		pod       *v1.Pod
		min       int32
		available bool
		in        time.Duration
	}{
		{"ready is enough where no time is asked for", pod("a", readyFor(0)), 0, true, 0},
		{"ready for long enough", pod("a", readyFor(10*time.Second)), 10, true, 0},
		{"ready, but not for long enough", pod("a", readyFor(4*time.Second)), 10, false, 6 * time.Second},
		{"not ready", pod("a", notReady), 10, false, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			if available, in := workload.Available(test.pod, test.min, now); available != test.available || in != test.in {
				t.Errorf("got %t, %s, want %t, %s", available, in, test.available, test.in)
			}
		})
	}
}

func TestInBatches(t *testing.T) {
	for _, test := range []struct {
		name          string
		n, failAt     int
		calls         int32
		wantsAnyError bool
	}{
		{"all are called when all succeed", 10, -1, 10, false},
		{"what fails at once is tried once", 100, 0, 1, true},
		{"what fails later is tried as often as its batch is large", 100, 5, 7, true},
		{"none", 0, -1, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var calls atomic.Int32
			err := workload.InBatches(test.n, func(i int) error {
				calls.Add(1)
				if test.failAt >= 0 && i >= test.failAt {
					return errors.New("no")
				}
				return nil
			})
			if diff := cmp.Diff(test.calls, calls.Load()); diff != "" || (err != nil) != test.wantsAnyError {
				t.Errorf("calls (-want +got):\n%s error %v", diff, err)
			}
		})
	}
}

func TestHash(t *testing.T) {
	template := &v1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}}}
	one := workload.Hash(template, nil)
	if again := workload.Hash(template.DeepCopy(), nil); again != one {
		t.Errorf("the same template has the hashes %s and %s", one, again)
	}
	if other := workload.Hash(template, new(int32(1))); other == one {
		t.Errorf("after a collision the hash is still %s", one)
	}
}
