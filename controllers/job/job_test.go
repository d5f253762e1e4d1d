package job_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"coracle/controllers/job"
	"coracle/controllers/looptest"
)

var labels = map[string]string{"batch.kubernetes.io/controller-uid": "job"}

func pi(completions, parallelism int32, change ...func(*batchv1.Job)) *batchv1.Job {
	j := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "pi", UID: "job"},
		Spec: batchv1.JobSpec{
			Completions: &completions, Parallelism: &parallelism, BackoffLimit: new(int32(2)),
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: v1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       v1.PodSpec{RestartPolicy: v1.RestartPolicyNever, Containers: []v1.Container{{Name: "pi"}}},
			},
		},
	}
	for _, c := range change {
		c(j)
	}
	return j
}

func indexed(j *batchv1.Job) { j.Spec.CompletionMode = new(batchv1.IndexedCompletion) }

// world plays the part of the nodes.
type world struct {
	*looptest.World
	t *testing.T
}

func run(t *testing.T, j *batchv1.Job, body func(w world)) {
	t.Helper()
	looptest.Run(t, []runtime.Object{j}, func(t *testing.T, w *looptest.World) {
		w.Start(job.New(w.Client, w.Factory, w.Log))
		body(world{w, t})
	})
}

func (w world) pods() []v1.Pod {
	w.t.Helper()
	list, err := w.Client.CoreV1().Pods("default").List(w.t.Context(), metav1.ListOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return list.Items
}

// running are the pods that have not ended.
func (w world) running() []v1.Pod {
	return slices.DeleteFunc(w.pods(), func(p v1.Pod) bool { return p.Status.Phase == v1.PodSucceeded || p.Status.Phase == v1.PodFailed })
}

// finish ends so many of the pods that run.
func (w world) finish(n int, phase v1.PodPhase, exit int32) {
	w.t.Helper()
	for _, p := range w.running()[:n] {
		p.Status.Phase = phase
		p.Status.ContainerStatuses = []v1.ContainerStatus{{Name: "pi", State: v1.ContainerState{
			Terminated: &v1.ContainerStateTerminated{ExitCode: exit, FinishedAt: metav1.Now()},
		}}}
		if _, err := w.Client.CoreV1().Pods("default").UpdateStatus(w.t.Context(), &p, metav1.UpdateOptions{}); err != nil {
			w.t.Fatal(err)
		}
	}
	w.Settle()
}

func (w world) job() *batchv1.Job {
	w.t.Helper()
	j, err := w.Client.BatchV1().Jobs("default").Get(w.t.Context(), "pi", metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return j
}

// status is active/succeeded/failed and the conditions that are true, with their reasons.
func (w world) status() string {
	s := w.job().Status
	text := fmt.Sprintf("%d/%d/%d", s.Active, s.Succeeded, s.Failed)
	for _, c := range s.Conditions {
		if c.Status == v1.ConditionTrue {
			text += fmt.Sprintf(" %s:%s", c.Type, c.Reason)
		}
	}
	return text
}

func (w world) want(what, status string) {
	w.t.Helper()
	if got := w.status(); got != status {
		w.t.Errorf("%s: %s, want %s", what, got, status)
	}
}

func (w world) update(change func(*batchv1.Job)) {
	w.t.Helper()
	j := w.job()
	change(j)
	if _, err := w.Client.BatchV1().Jobs("default").Update(w.t.Context(), j, metav1.UpdateOptions{}); err != nil {
		w.t.Fatal(err)
	}
	w.Settle()
}

func TestCompletions(t *testing.T) {
	run(t, pi(3, 2), func(w world) {
		w.want("at first as many run as may at once", "2/0/0")
		w.finish(1, v1.PodSucceeded, 0)
		w.want("each that ends is followed by one", "2/1/0")
		w.finish(1, v1.PodSucceeded, 0)
		w.want("but there are no more than needed", "1/2/0")
		w.finish(1, v1.PodSucceeded, 0)
		w.want("in the end", "0/3/0 SuccessCriteriaMet:CompletionsReached Complete:CompletionsReached")
		if w.job().Status.CompletionTime == nil {
			t.Error("no completion time")
		}
		for _, p := range w.pods() {
			if len(p.Finalizers) > 0 {
				t.Errorf("%s has the finalizers %v", p.Name, p.Finalizers)
			}
		}
	})
}

func TestFailures(t *testing.T) {
	t.Run("a pod that fails is replaced, later each time, until the limit", func(t *testing.T) {
		run(t, pi(1, 1), func(w world) {
			w.finish(1, v1.PodFailed, 1)
			w.want("at once there is no other", "0/0/1")
			w.Advance(11 * time.Second)
			w.want("after ten seconds", "1/0/1")
			w.finish(1, v1.PodFailed, 1)
			w.Advance(11 * time.Second)
			w.want("the second takes twice as long", "0/0/2")
			w.Advance(10 * time.Second)
			w.want("after twenty", "1/0/2")
			w.finish(1, v1.PodFailed, 1)
			w.want("in the end", "0/0/3 FailureTarget:BackoffLimitExceeded Failed:BackoffLimitExceeded")
		})
	})
	t.Run("the deadline ends what runs", func(t *testing.T) {
		run(t, pi(2, 2, func(j *batchv1.Job) { j.Spec.ActiveDeadlineSeconds = new(int64(30)) }), func(w world) {
			w.Advance(31 * time.Second)
			w.want("after the deadline", "0/0/2 FailureTarget:DeadlineExceeded Failed:DeadlineExceeded")
			if pods := w.pods(); len(pods) > 0 {
				t.Errorf("%d pods are left", len(pods))
			}
		})
	})
	t.Run("containers restarted in place count as well", func(t *testing.T) {
		run(t, pi(1, 1, func(j *batchv1.Job) { j.Spec.Template.Spec.RestartPolicy = v1.RestartPolicyOnFailure }), func(w world) {
			p := w.running()[0]
			p.Status.Phase, p.Status.ContainerStatuses = v1.PodRunning, []v1.ContainerStatus{{Name: "pi", RestartCount: 2}}
			if _, err := w.Client.CoreV1().Pods("default").UpdateStatus(t.Context(), &p, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			w.Settle()
			w.want("after two restarts", "0/0/1 FailureTarget:BackoffLimitExceeded Failed:BackoffLimitExceeded")
		})
	})
	t.Run("a rule may ignore a failure or fail the Job", func(t *testing.T) {
		rule := func(code int32, action batchv1.PodFailurePolicyAction) batchv1.PodFailurePolicyRule {
			return batchv1.PodFailurePolicyRule{Action: action, OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{
				Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: []int32{code},
			}}
		}
		policy := func(j *batchv1.Job) {
			j.Spec.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{
				rule(7, batchv1.PodFailurePolicyActionIgnore), rule(42, batchv1.PodFailurePolicyActionFailJob),
			}}
		}
		run(t, pi(1, 1, policy), func(w world) {
			w.finish(1, v1.PodFailed, 7)
			w.Advance(11 * time.Second)
			w.want("ignored", "1/0/0")
			w.finish(1, v1.PodFailed, 42)
			w.want("failed", "0/0/1 FailureTarget:PodFailurePolicy Failed:PodFailurePolicy")
			conditions := w.job().Status.Conditions
			if m := conditions[len(conditions)-1].Message; !strings.Contains(m, "failed with exit code 42 matching FailJob rule at index 1") {
				t.Errorf("message %q", m)
			}
		})
	})
}

func TestSuspend(t *testing.T) {
	run(t, pi(2, 2, func(j *batchv1.Job) { j.Spec.Suspend = new(true) }), func(w world) {
		w.want("suspended from the start", "0/0/0 Suspended:JobSuspended")
		w.update(func(j *batchv1.Job) { j.Spec.Suspend = new(false) })
		w.want("resumed", "2/0/0")
		w.update(func(j *batchv1.Job) { j.Spec.Suspend = new(true) })
		w.want("suspended again: what ran does not count as failed", "0/0/0 Suspended:JobSuspended")
		if pods := w.pods(); len(pods) > 0 || w.job().Status.StartTime != nil {
			t.Errorf("%d pods are left, start time %v", len(pods), w.job().Status.StartTime)
		}
	})
}

func TestIndexed(t *testing.T) {
	t.Run("each pod has a number, and each number is done once", func(t *testing.T) {
		run(t, pi(4, 4, indexed), func(w world) {
			var names []string
			for _, p := range w.running() {
				names = append(names, p.Annotations[batchv1.JobCompletionIndexAnnotation]+" "+p.Labels[batchv1.JobCompletionIndexAnnotation]+" "+p.Spec.Hostname+" "+p.Spec.Containers[0].Env[0].Name)
			}
			slices.Sort(names)
			want := []string{"0 0 pi-0 JOB_COMPLETION_INDEX", "1 1 pi-1 JOB_COMPLETION_INDEX", "2 2 pi-2 JOB_COMPLETION_INDEX", "3 3 pi-3 JOB_COMPLETION_INDEX"}
			if !slices.Equal(names, want) {
				t.Errorf("pods %v", names)
			}
			w.finish(3, v1.PodSucceeded, 0)
			if got := len(w.job().Status.CompletedIndexes); got == 0 {
				t.Error("no index is completed")
			}
			w.finish(1, v1.PodFailed, 1)
			w.Advance(time.Minute)
			w.finish(1, v1.PodSucceeded, 0)
			w.want("in the end", "0/4/1 SuccessCriteriaMet:CompletionsReached Complete:CompletionsReached")
			if got := w.job().Status.CompletedIndexes; got != "0-3" {
				t.Errorf("completed indexes %q", got)
			}
		})
	})
	t.Run("an index that fails too often does not hold up the others", func(t *testing.T) {
		limit := func(j *batchv1.Job) {
			indexed(j)
			j.Spec.BackoffLimit, j.Spec.BackoffLimitPerIndex = new(int32(1000)), new(int32(0))
		}
		run(t, pi(2, 2, limit), func(w world) {
			w.finish(1, v1.PodFailed, 1)
			w.finish(1, v1.PodSucceeded, 0)
			w.want("in the end", "0/1/1 FailureTarget:FailedIndexes Failed:FailedIndexes")
		})
	})
	t.Run("some indexes may be enough", func(t *testing.T) {
		enough := func(j *batchv1.Job) {
			indexed(j)
			j.Spec.SuccessPolicy = &batchv1.SuccessPolicy{Rules: []batchv1.SuccessPolicyRule{{SucceededCount: new(int32(1))}}}
		}
		run(t, pi(3, 3, enough), func(w world) {
			w.finish(1, v1.PodSucceeded, 0)
			w.want("after one", "0/1/0 SuccessCriteriaMet:SuccessPolicy Complete:SuccessPolicy")
		})
	})
}

func TestDeleted(t *testing.T) {
	run(t, pi(2, 2), func(w world) {
		if err := w.Client.BatchV1().Jobs("default").Delete(t.Context(), "pi", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		w.Settle()
		for _, p := range w.pods() {
			if len(p.Finalizers) > 0 {
				t.Errorf("%s can not be deleted: %v", p.Name, p.Finalizers)
			}
		}
	})
}
