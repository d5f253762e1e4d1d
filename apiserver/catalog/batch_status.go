package catalog

import (
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validateJobStatusChange checks the status that a Job's controller wrote, whichever that is (spec.managedBy).
// What did not change is not held against it: a change of the spec may have made it wrong for a moment.
// Source of the sentences: k8s.io/kubernetes/pkg/apis/batch/validation, with the options of
// pkg/registry/batch/job/strategy.go.
func validateJobStatusChange(j, old *batchv1.Job, root *field.Path) errorList {
	path := child(root, "status")
	errs := validateJobCounters(j, path)
	errs = append(errs, validateJobEnd(j, old, path)...)
	errs = append(errs, validateJobIndexes(j, old, path)...)
	errs = append(errs, validateJobSuccess(j, child(path, "conditions"))...)
	return append(errs, validateJobHistory(j, old, path)...)
}

func validateJobCounters(j *batchv1.Job, path *field.Path) errorList {
	s := j.Status
	errs := nonNegative(child(path, "active"), s.Active)
	errs = append(errs, nonNegative(child(path, "succeeded"), s.Succeeded)...)
	errs = append(errs, nonNegative(child(path, "failed"), s.Failed)...)
	errs = append(errs, nonNegative(child(path, "ready"), value(s.Ready))...)
	errs = append(errs, nonNegative(child(path, "terminating"), value(s.Terminating))...)
	if s.UncountedTerminatedPods == nil {
		return errs
	}
	var seen []types.UID
	each := func(at *field.Path, uids []types.UID) {
		for i, uid := range uids {
			switch {
			case uid == "":
				errs = append(errs, field.Invalid(nth(at, i), uid, "must not be empty"))
			case slices.Contains(seen, uid):
				errs = append(errs, field.Duplicate(nth(at, i), uid))
			default:
				seen = append(seen, uid)
			}
		}
	}
	each(child(path, "uncountedTerminatedPods", "succeeded"), s.UncountedTerminatedPods.Succeeded)
	each(child(path, "uncountedTerminatedPods", "failed"), s.UncountedTerminatedPods.Failed)
	return errs
}

// jobTransition says what changed in a Job's status.
type jobTransition struct{ job, old *batchv1.Job }

func (t jobTransition) condition(c batchv1.JobConditionType) bool {
	return jobIs(t.job, c) != jobIs(t.old, c)
}
func (t jobTransition) finished() bool { return jobFinished(t.job) != jobFinished(t.old) }

func (t jobTransition) differs(of func(*batchv1.JobStatus) any) bool {
	return !equality.Semantic.DeepEqual(of(&t.job.Status), of(&t.old.Status))
}

func jobFinished(j *batchv1.Job) bool {
	return jobIs(j, batchv1.JobComplete) || jobIs(j, batchv1.JobFailed)
}

// validateJobEnd: what must be true of a Job that is complete or failed.
func validateJobEnd(j, old *batchv1.Job, path *field.Path) errorList {
	s, changed := &j.Status, jobTransition{j, old}
	startTime := changed.differs(func(s *batchv1.JobStatus) any { return s.StartTime })
	completionTime := changed.differs(func(s *batchv1.JobStatus) any { return s.CompletionTime })
	complete, failed, finished := jobIs(j, batchv1.JobComplete), jobIs(j, batchv1.JobFailed), jobFinished(j)
	completeChanged, failedChanged := changed.condition(batchv1.JobComplete), changed.condition(batchv1.JobFailed)
	atConditions, atCompletion := child(path, "conditions"), child(path, "completionTime")

	var errs errorList
	conditions := func(wrong bool, text string) {
		if wrong {
			errs = append(errs, field.Invalid(atConditions, field.OmitValueType{}, text))
		}
	}
	conditions((completeChanged || failedChanged) && complete && failed, "cannot set Complete=True and Failed=true conditions")
	conditions((completeChanged || changed.condition(batchv1.JobFailureTarget)) && complete && jobIs(j, batchv1.JobFailureTarget),
		"cannot set Complete=True and FailureTarget=true conditions")
	if (completeChanged || completionTime) && s.CompletionTime != nil && !complete {
		errs = append(errs, field.Invalid(atCompletion, s.CompletionTime, "cannot set completionTime when there is no Complete=True condition"))
	}
	if (completeChanged || completionTime) && s.CompletionTime == nil && complete {
		errs = append(errs, field.Required(atCompletion, "completionTime is required for Complete jobs"))
	}
	if (startTime || completionTime) && s.StartTime != nil && s.CompletionTime != nil && s.CompletionTime.Before(s.StartTime) {
		errs = append(errs, field.Invalid(atCompletion, s.CompletionTime, "must be equal to or after `startTime`"))
	}
	failedIndexes := changed.differs(func(s *batchv1.JobStatus) any { return s.FailedIndexes })
	conditions((failedChanged || failedIndexes) && failed && !jobIs(j, batchv1.JobFailureTarget),
		"cannot set Failed=True condition without the FailureTarget=true condition")
	conditions((completeChanged || changed.condition(batchv1.JobSuccessCriteriaMet)) && complete && !jobIs(j, batchv1.JobSuccessCriteriaMet),
		"cannot set Complete=True condition without the SuccessCriteriaMet=true condition")
	if (changed.finished() || j.Status.Active != old.Status.Active) && s.Active > 0 && finished {
		errs = append(errs, field.Invalid(child(path, "active"), s.Active, "active>0 is invalid for finished job"))
	}
	neverStarted := value(j.Spec.Suspend) && j.Spec.Completions != nil && *j.Spec.Completions == 0
	if (changed.finished() || startTime) && !neverStarted && s.StartTime == nil && finished {
		errs = append(errs, field.Required(child(path, "startTime"), "startTime is required for finished job"))
	}
	uncounted := changed.differs(func(s *batchv1.JobStatus) any { return s.UncountedTerminatedPods })
	if u := s.UncountedTerminatedPods; (changed.finished() || uncounted) && finished && u != nil && len(u.Failed)+len(u.Succeeded) > 0 {
		errs = append(errs, field.Invalid(child(path, "uncountedTerminatedPods"), internalForm(u), "must be empty for finished job"))
	}
	return errs
}

// validateJobIndexes: which pods of an indexed Job are done.
func validateJobIndexes(j, old *batchv1.Job, path *field.Path) errorList {
	s, changed := &j.Status, jobTransition{j, old}
	completedChanged := s.CompletedIndexes != old.Status.CompletedIndexes
	failedChanged := changed.differs(func(s *batchv1.JobStatus) any { return s.FailedIndexes })
	atCompleted, atFailed := child(path, "completedIndexes"), child(path, "failedIndexes")
	var errs errorList
	if n := j.Spec.Completions; n != nil {
		if _, err := parseIndexes(s.CompletedIndexes, *n); completedChanged && err != nil {
			errs = append(errs, field.Invalid(atCompleted, s.CompletedIndexes, "error parsing completedIndexes: "+err.Error()))
		}
		if failedChanged && j.Spec.BackoffLimitPerIndex != nil && s.FailedIndexes != nil {
			if _, err := parseIndexes(*s.FailedIndexes, *n); err != nil {
				errs = append(errs, field.Invalid(atFailed, *s.FailedIndexes, "error parsing failedIndexes: "+err.Error()))
			}
		}
	}
	if completedChanged && s.CompletedIndexes != "" && value(j.Spec.CompletionMode) != batchv1.IndexedCompletion {
		errs = append(errs, field.Invalid(atCompleted, s.CompletedIndexes, "cannot set non-empty completedIndexes when non-indexed completion mode"))
	}
	if failedChanged && j.Spec.BackoffLimitPerIndex == nil && s.FailedIndexes != nil {
		errs = append(errs, field.Invalid(atFailed, *s.FailedIndexes, "cannot set non-null failedIndexes when backoffLimitPerIndex is null"))
	}
	if n := j.Spec.Completions; (failedChanged || completedChanged) && n != nil && s.FailedIndexes != nil {
		if i, ok := overlap(s.CompletedIndexes, *s.FailedIndexes, *n); ok {
			errs = append(errs, field.Invalid(atFailed, *s.FailedIndexes, fmt.Sprintf("failedIndexes and completedIndexes overlap at index: %d", i)))
		}
	}
	terminatingChanged := changed.differs(func(s *batchv1.JobStatus) any { return s.Terminating })
	if (changed.finished() || terminatingChanged) && value(s.Terminating) > 0 && jobFinished(j) {
		errs = append(errs, field.Invalid(child(path, "terminating"), *s.Terminating, "terminating>0 is invalid for finished job"))
	}
	readyChanged := changed.differs(func(s *batchv1.JobStatus) any { return s.Ready }) || s.Active != old.Status.Active
	if readyChanged && s.Ready != nil && *s.Ready > s.Active {
		errs = append(errs, field.Invalid(child(path, "ready"), *s.Ready, "cannot set more ready pods than active"))
	}
	return errs
}

func validateJobSuccess(j *batchv1.Job, path *field.Path) errorList {
	var errs errorList
	met := jobIs(j, batchv1.JobSuccessCriteriaMet)
	if met && jobIs(j, batchv1.JobFailed) {
		errs = append(errs, field.Invalid(path, field.OmitValueType{}, "cannot set SuccessCriteriaMet=True and Failed=true conditions"))
	}
	if met && jobIs(j, batchv1.JobFailureTarget) {
		errs = append(errs, field.Invalid(path, field.OmitValueType{}, "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"))
	}
	if j.Spec.SuccessPolicy != nil && !met && jobIs(j, batchv1.JobComplete) {
		errs = append(errs, field.Invalid(path, field.OmitValueType{}, "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True"))
	}
	return errs
}

// validateJobHistory: what happened cannot be undone.
func validateJobHistory(j, old *batchv1.Job, path *field.Path) errorList {
	s, before := &j.Status, &old.Status
	atConditions := child(path, "conditions")
	var errs errorList
	for _, t := range []batchv1.JobConditionType{batchv1.JobFailed, batchv1.JobComplete, batchv1.JobFailureTarget} {
		if jobIs(old, t) && !jobIs(j, t) {
			errs = append(errs, field.Invalid(atConditions, field.OmitValueType{}, fmt.Sprintf("cannot disable the terminal %s=True condition", t)))
		}
	}
	if s.Failed < before.Failed {
		errs = append(errs, field.Invalid(child(path, "failed"), s.Failed, "cannot decrease the failed counter"))
	}
	elastic := value(j.Spec.CompletionMode) == batchv1.IndexedCompletion && equality.Semantic.DeepEqual(j.Spec.Completions, j.Spec.Parallelism)
	if s.Succeeded < before.Succeeded && !elastic {
		errs = append(errs, field.Invalid(child(path, "succeeded"), s.Succeeded, "cannot decrease the succeeded counter"))
	}
	if s.CompletionTime != nil && before.CompletionTime != nil && !s.CompletionTime.Equal(before.CompletionTime) {
		errs = append(errs, field.Invalid(child(path, "completionTime"), s.CompletionTime, "field is immutable"))
	}
	resuming := jobIs(old, batchv1.JobSuspended) && slices.ContainsFunc(s.Conditions, func(c batchv1.JobCondition) bool {
		return c.Type == batchv1.JobSuspended && c.Status == "False"
	})
	if before.StartTime != nil && !before.StartTime.Equal(s.StartTime) && !value(j.Spec.Suspend) && !resuming {
		errs = append(errs, field.Invalid(child(path, "startTime"), s.StartTime, "field is immutable for unsuspended job once set"))
	}
	if jobIs(old, batchv1.JobSuccessCriteriaMet) && !jobIs(j, batchv1.JobSuccessCriteriaMet) {
		errs = append(errs, field.Invalid(atConditions, field.OmitValueType{}, "cannot disable the SuccessCriteriaMet=True condition"))
	}
	if jobIs(old, batchv1.JobComplete) && !jobIs(old, batchv1.JobSuccessCriteriaMet) && jobIs(j, batchv1.JobSuccessCriteriaMet) {
		errs = append(errs, field.Invalid(atConditions, field.OmitValueType{}, "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions"))
	}
	return errs
}
