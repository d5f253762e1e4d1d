package catalog

import (
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Source of the sentences and limits: k8s.io/kubernetes/pkg/apis/batch/validation.

func validateJob(j *batchv1.Job, root *field.Path) errorList {
	errs := validateOwnSelector(j, true, root)
	errs = append(errs, validateSelectingJobSpec(&j.Spec, root)...)
	return append(errs, validateIndexedName(j, root)...)
}

// validateOwnSelector checks that a selector that was made for the Job selects its pods and no other's.
func validateOwnSelector(j *batchv1.Job, prefixed bool, root *field.Path) errorList {
	if value(j.Spec.ManualSelector) || j.Spec.Selector == nil {
		return nil
	}
	expected := map[string]string{legacyControllerUID: string(j.UID), legacyJobName: j.Name}
	names := []string{legacyControllerUID, legacyJobName}
	if prefixed {
		expected[batchv1.ControllerUidLabel], expected[batchv1.JobNameLabel] = string(j.UID), j.Name
		names = append(names, batchv1.ControllerUidLabel, batchv1.JobNameLabel)
	}
	var errs errorList
	for _, name := range names {
		at := keyed(child(root, "spec", "template", "metadata", "labels"), name)
		switch v, ok := j.Spec.Template.Labels[name]; {
		case !ok:
			errs = append(errs, field.Required(at, fmt.Sprintf("must be '%s'", expected[name])))
		case v != expected[name]:
			errs = append(errs, field.Invalid(at, j.Spec.Template.Labels, fmt.Sprintf("must be '%s'", expected[name])))
		}
	}
	if s, err := metav1.LabelSelectorAsSelector(j.Spec.Selector); err == nil && !s.Matches(labels.Set(expected)) {
		errs = append(errs, field.Invalid(child(root, "spec", "selector"), j.Spec.Selector, "`selector` not auto-generated"))
	}
	return errs
}

func validateSelectingJobSpec(s *batchv1.JobSpec, root *field.Path) errorList {
	path := child(root, "spec")
	errs := validateJobSpec(s, path)
	if s.Selector == nil {
		errs = append(errs, field.Required(child(path, "selector"), ""))
	}
	errs = append(errs, metav1validation.ValidateLabelSelector(s.Selector, metav1validation.LabelSelectorValidationOptions{}, child(path, "selector"))...)
	if selector, err := metav1.LabelSelectorAsSelector(s.Selector); err == nil && !selector.Matches(labels.Set(s.Template.Labels)) {
		errs = append(errs, field.Invalid(child(path, "template", "metadata", "labels"), s.Template.Labels, "`selector` does not match template `labels`"))
	}
	return errs
}

// validateIndexedName: an indexed Job's pods have their index at the end of their host names.
func validateIndexedName(j *batchv1.Job, root *field.Path) errorList {
	if value(j.Spec.CompletionMode) != batchv1.IndexedCompletion || value(j.Spec.Completions) <= 0 {
		return nil
	}
	host := fmt.Sprintf("%s-%d", j.Name, *j.Spec.Completions-1)
	if len(isDNSLabel(host)) == 0 {
		return nil
	}
	return errorList{field.Invalid(child(root, "metadata", "name"), j.Name, "will not able to create pod with invalid DNS label: "+host)}
}

// validateJobSpec checks what Jobs and the templates of CronJobs share.
func validateJobSpec(s *batchv1.JobSpec, path *field.Path) errorList {
	errs := nonNegative(child(path, "parallelism"), value(s.Parallelism))
	errs = append(errs, nonNegative(child(path, "completions"), value(s.Completions))...)
	errs = append(errs, nonNegative(child(path, "activeDeadlineSeconds"), value(s.ActiveDeadlineSeconds))...)
	errs = append(errs, nonNegative(child(path, "backoffLimit"), value(s.BackoffLimit))...)
	errs = append(errs, nonNegative(child(path, "ttlSecondsAfterFinished"), value(s.TTLSecondsAfterFinished))...)
	errs = append(errs, nonNegative(child(path, "backoffLimitPerIndex"), value(s.BackoffLimitPerIndex))...)
	if s.MaxFailedIndexes != nil {
		errs = append(errs, nonNegative(child(path, "maxFailedIndexes"), *s.MaxFailedIndexes)...)
		if s.BackoffLimitPerIndex == nil {
			errs = append(errs, field.Required(child(path, "backoffLimitPerIndex"), "when maxFailedIndexes is specified"))
		}
	}
	if s.ManagedBy != nil {
		const longest = 63
		errs = append(errs, validation.IsDomainPrefixedPath(child(path, "managedBy"), *s.ManagedBy)...)
		if len(*s.ManagedBy) > longest {
			errs = append(errs, field.TooLong(child(path, "managedBy"), "", longest))
		}
	}
	errs = append(errs, validateCompletionMode(s, path)...)
	if s.PodFailurePolicy != nil {
		errs = append(errs, validateFailurePolicy(s, child(path, "podFailurePolicy", "rules"))...)
	}
	if s.SuccessPolicy != nil {
		if value(s.CompletionMode) != batchv1.IndexedCompletion {
			errs = append(errs, field.Invalid(child(path, "successPolicy"), internalForm(*s.SuccessPolicy), "requires indexed completion mode"))
		} else {
			errs = append(errs, validateSuccessPolicy(s, child(path, "successPolicy", "rules"))...)
		}
	}
	errs = append(errs, validateReplacement(s, child(path, "podReplacementPolicy"))...)
	errs = append(errs, validateTemplate(&s.Template, child(path, "template"))...)
	return append(errs, validateJobRestarts(s, child(path, "template", "spec", "restartPolicy"))...)
}

// validateJobRestarts: pods of a Job are to finish.
func validateJobRestarts(s *batchv1.JobSpec, path *field.Path) errorList {
	switch p := s.Template.Spec.RestartPolicy; {
	case p == corev1.RestartPolicyAlways || p == "":
		return errorList{field.Required(path, `valid values: "OnFailure", "Never"`)}
	case p != corev1.RestartPolicyOnFailure && p != corev1.RestartPolicyNever:
		return errorList{field.NotSupported(path, p, []corev1.RestartPolicy{corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever})}
	case s.PodFailurePolicy != nil && p != corev1.RestartPolicyNever:
		return errorList{field.Invalid(path, p, `only "Never" is supported when podFailurePolicy is specified`)}
	}
	return nil
}

func validateCompletionMode(s *batchv1.JobSpec, path *field.Path) errorList {
	const most, many, mostOfMany = 100_000, 100_000, 10_000
	var errs errorList
	mode := batchv1.NonIndexedCompletion // the template of a CronJob need not say
	if s.CompletionMode != nil {
		mode = *s.CompletionMode
	}
	switch mode {
	case batchv1.NonIndexedCompletion:
		if s.BackoffLimitPerIndex != nil {
			errs = append(errs, field.Invalid(child(path, "backoffLimitPerIndex"), *s.BackoffLimitPerIndex, "requires indexed completion mode"))
		}
		if s.MaxFailedIndexes != nil {
			errs = append(errs, field.Invalid(child(path, "maxFailedIndexes"), *s.MaxFailedIndexes, "requires indexed completion mode"))
		}
		return errs
	case batchv1.IndexedCompletion:
	default:
		return errorList{field.NotSupported(child(path, "completionMode"), mode, []batchv1.CompletionMode{batchv1.NonIndexedCompletion, batchv1.IndexedCompletion})}
	}
	atParallelism, atFailed := child(path, "parallelism"), child(path, "maxFailedIndexes")
	parallelism, completions := value(s.Parallelism), value(s.Completions)
	if s.Completions == nil {
		errs = append(errs, field.Required(child(path, "completions"), "when completion mode is Indexed"))
	}
	if parallelism > most {
		errs = append(errs, field.Invalid(atParallelism, parallelism, fmt.Sprintf("must be less than or equal to %d when completion mode is Indexed", most)))
	}
	if s.Completions != nil && s.MaxFailedIndexes != nil && *s.MaxFailedIndexes > completions {
		errs = append(errs, field.Invalid(atFailed, *s.MaxFailedIndexes, "must be less than or equal to completions"))
	}
	if value(s.MaxFailedIndexes) > most {
		errs = append(errs, field.Invalid(atFailed, *s.MaxFailedIndexes, fmt.Sprintf("must be less than or equal to %d", most)))
	}
	if completions <= many || s.BackoffLimitPerIndex == nil {
		return errs
	}
	tooMuch := fmt.Sprintf("must be less than or equal to %d when completions are above %d and used with backoff limit per index", mostOfMany, many)
	if s.MaxFailedIndexes == nil {
		errs = append(errs, field.Required(atFailed, fmt.Sprintf("must be specified when completions is above %d", many)))
	}
	if parallelism > mostOfMany {
		errs = append(errs, field.Invalid(atParallelism, parallelism, tooMuch))
	}
	if value(s.MaxFailedIndexes) > mostOfMany {
		errs = append(errs, field.Invalid(atFailed, *s.MaxFailedIndexes, tooMuch))
	}
	return errs
}

func validateReplacement(s *batchv1.JobSpec, path *field.Path) errorList {
	if s.PodReplacementPolicy == nil {
		return nil
	}
	known := []batchv1.PodReplacementPolicy{batchv1.Failed, batchv1.TerminatingOrFailed}
	if s.PodFailurePolicy != nil {
		known = known[:1]
	}
	if slices.Contains(known, *s.PodReplacementPolicy) {
		return nil
	}
	return errorList{field.NotSupported(path, *s.PodReplacementPolicy, known)}
}

// Updates.

func validateJobChange(j, old *batchv1.Job, root *field.Path) errorList {
	path := child(root, "spec")
	s, before := &j.Spec, &old.Spec
	errs := validateSelectingJobSpec(s, root)
	errs = append(errs, validateCompletionsChange(s, before, child(path, "completions"))...)
	errs = append(errs, unchanged(child(path, "selector"), s.Selector, before.Selector)...)
	errs = append(errs, validateJobTemplateChange(j, old, path)...)
	errs = append(errs, unchanged(child(path, "completionMode"), s.CompletionMode, before.CompletionMode)...)
	errs = append(errs, unchanged(child(path, "podFailurePolicy"), s.PodFailurePolicy, before.PodFailurePolicy)...)
	errs = append(errs, unchanged(child(path, "backoffLimitPerIndex"), s.BackoffLimitPerIndex, before.BackoffLimitPerIndex)...)
	errs = append(errs, unchanged(child(path, "managedBy"), s.ManagedBy, before.ManagedBy)...)
	errs = append(errs, unchanged(child(path, "successPolicy"), s.SuccessPolicy, before.SuccessPolicy)...)
	return append(errs, validateIndexedName(j, root)...)
}

// validateCompletionsChange: an indexed Job may grow and shrink, if it starts all its pods at once.
func validateCompletionsChange(s, old *batchv1.JobSpec, path *field.Path) errorList {
	if value(s.CompletionMode) != batchv1.IndexedCompletion {
		return unchanged(path, s.Completions, old.Completions)
	}
	if s.Completions == nil || equality.Semantic.DeepEqual(s.Completions, old.Completions) || *s.Completions == value(s.Parallelism) {
		return nil
	}
	return errorList{field.Invalid(path, *s.Completions, "can only be modified in tandem with spec.parallelism")}
}

// validateJobTemplateChange: the template is fixed, but while a Job is suspended, whoever suspended it (a queue)
// may still say where its pods run, and with how much.
func validateJobTemplateChange(j, old *batchv1.Job, path *field.Path) errorList {
	now, before := &j.Spec.Template, old.Spec.Template.DeepCopy()
	suspended := value(old.Spec.Suspend)
	open := suspended && old.Status.Active == 0 && (old.Status.StartTime == nil || jobIs(old, batchv1.JobSuspended))
	if open {
		letPlacement(now, before)
	}
	if !open {
		return unchanged(child(path, "template"), now, before)
	}
	letResources(now.Spec.Containers, before.Spec.Containers)
	letResources(now.Spec.InitContainers, before.Spec.InitContainers)
	return unchanged(child(path, "template.spec"), now.Spec, before.Spec)
}

// letPlacement takes over what says where the pods run.
func letPlacement(now, before *corev1.PodTemplateSpec) {
	switch a := now.Spec.Affinity; {
	case a == nil && before.Spec.Affinity != nil:
		before.Spec.Affinity.NodeAffinity = nil
		if *before.Spec.Affinity == (corev1.Affinity{}) {
			before.Spec.Affinity = nil
		}
	case a != nil && before.Spec.Affinity == nil:
		before.Spec.Affinity = &corev1.Affinity{NodeAffinity: a.NodeAffinity}
	case a != nil:
		before.Spec.Affinity.NodeAffinity = a.NodeAffinity
	}
	before.Spec.NodeSelector = now.Spec.NodeSelector
	before.Spec.Tolerations = now.Spec.Tolerations
	before.Spec.SchedulingGates = now.Spec.SchedulingGates
	before.Annotations, before.Labels = now.Annotations, now.Labels
}

func letResources(now, before []corev1.Container) {
	if len(now) != len(before) {
		return
	}
	for i := range now {
		if now[i].Name == before[i].Name {
			before[i].Resources = now[i].Resources
		}
	}
}

func jobWarnings(j, old *batchv1.Job, root *field.Path) []string {
	path := child(root, "spec")
	if old == nil {
		return append(podNameWarning(j.Name), jobSpecWarnings(&j.Spec, nil, path)...)
	}
	if j.Generation == old.Generation {
		return nil
	}
	return jobSpecWarnings(&j.Spec, &old.Spec, path)
}

func jobSpecWarnings(s, old *batchv1.JobSpec, path *field.Path) []string {
	var texts []string
	if value(s.CompletionMode) == batchv1.IndexedCompletion && value(s.Completions) > 100_000 && value(s.Parallelism) > 10_000 {
		texts = append(texts, path.String()+": In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, "+
			"Kubernetes might not be able to track completedIndexes when a big number of indexes fail")
	}
	var before *corev1.PodTemplateSpec
	if old != nil {
		before = &old.Template
	}
	return append(texts, templateWarnings(&s.Template, before, child(path, "template"))...)
}
