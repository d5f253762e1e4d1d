package catalog

import (
	"maps"
	"math"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Source: k8s.io/kubernetes/pkg/apis/batch/v1/defaults.go.

func defaultJob(j *batchv1.Job) {
	s := &j.Spec
	if s.Completions == nil && s.Parallelism == nil {
		setDefault(&s.Completions, 1)
	}
	setDefault(&s.Parallelism, 1)
	if s.BackoffLimitPerIndex != nil {
		setDefault(&s.BackoffLimit, math.MaxInt32)
	}
	setDefault(&s.BackoffLimit, 6)
	if len(j.Labels) == 0 {
		j.Labels = maps.Clone(s.Template.Labels)
	}
	setDefault(&s.CompletionMode, batchv1.NonIndexedCompletion)
	setDefault(&s.Suspend, false)
	if s.PodFailurePolicy != nil {
		setDefault(&s.PodReplacementPolicy, batchv1.Failed)
	}
	setDefault(&s.PodReplacementPolicy, batchv1.TerminatingOrFailed)
	setDefault(&s.ManualSelector, false)
	defaultJobTemplate(s)
}

func defaultCronJob(c *batchv1.CronJob) {
	if c.Spec.ConcurrencyPolicy == "" {
		c.Spec.ConcurrencyPolicy = batchv1.AllowConcurrent
	}
	setDefault(&c.Spec.Suspend, false)
	setDefault(&c.Spec.SuccessfulJobsHistoryLimit, 3)
	setDefault(&c.Spec.FailedJobsHistoryLimit, 1)
	defaultJobTemplate(&c.Spec.JobTemplate.Spec)
}

// defaultJobTemplate fills in what Jobs and the templates of CronJobs share.
func defaultJobTemplate(s *batchv1.JobSpec) {
	if s.PodFailurePolicy != nil {
		for i := range s.PodFailurePolicy.Rules {
			conditions := s.PodFailurePolicy.Rules[i].OnPodConditions
			for at := range conditions {
				if conditions[at].Status == "" {
					conditions[at].Status = corev1.ConditionTrue
				}
			}
		}
	}
	defaultTemplate(&s.Template)
}

// The labels that tell a Job's pods from those of all others come twice: the old ones have no prefix.
const (
	legacyJobName       = "job-name"
	legacyControllerUID = "controller-uid"
)

// prepareNewJob gives the Job a selector of its own, unless its owner promised to take care of that.
func prepareNewJob(j *batchv1.Job) {
	j.Status = batchv1.JobStatus{}
	j.Spec.Scheduling = nil // of the feature WorkloadWithJob, which is off by default
	if value(j.Spec.ManualSelector) {
		return
	}
	labels := maps.Clone(j.Spec.Template.Labels)
	shared := labels != nil && maps.Equal(j.Labels, labels) // then the Job has its labels from the template
	if labels == nil {
		labels = map[string]string{}
	}
	for name, v := range map[string]string{
		legacyJobName: j.Name, batchv1.JobNameLabel: j.Name,
		legacyControllerUID: string(j.UID), batchv1.ControllerUidLabel: string(j.UID),
	} {
		if _, ok := labels[name]; !ok {
			labels[name] = v
		}
	}
	j.Spec.Template.Labels = labels
	if shared {
		j.Labels = maps.Clone(labels)
	}
	setDefault(&j.Spec.Selector, metav1.LabelSelector{})
	if j.Spec.Selector.MatchLabels == nil {
		j.Spec.Selector.MatchLabels = map[string]string{}
	}
	if _, ok := j.Spec.Selector.MatchLabels[batchv1.ControllerUidLabel]; !ok {
		j.Spec.Selector.MatchLabels[batchv1.ControllerUidLabel] = string(j.UID)
	}
}
