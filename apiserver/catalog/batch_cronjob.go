package catalog

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Source of the sentences: k8s.io/kubernetes/pkg/apis/batch/validation.

func validateCronJob(c *batchv1.CronJob, root *field.Path) errorList {
	errs := validateCronJobSpec(&c.Spec, nil, root)
	// The controller appends 11 characters to make the names of Jobs, which are labels of 63 characters at most.
	const longest = 63 - 11
	if len(c.Name) > longest {
		errs = append(errs, field.Invalid(child(root, "metadata", "name"), c.Name, fmt.Sprintf("must be no more than %d characters", longest)))
	}
	return errs
}

func validateCronJobChange(c, old *batchv1.CronJob, root *field.Path) errorList {
	return validateCronJobSpec(&c.Spec, &old.Spec, root)
}

func validateCronJobSpec(s, old *batchv1.CronJobSpec, root *field.Path) errorList {
	path := child(root, "spec")
	errs := required(child(path, "schedule"), s.Schedule == "")
	if s.Schedule != "" {
		errs = append(errs, validateSchedule(s, old, child(path, "schedule"))...)
	}
	errs = append(errs, nonNegative(child(path, "startingDeadlineSeconds"), value(s.StartingDeadlineSeconds))...)
	if s.TimeZone != nil && (old == nil || old.TimeZone == nil || *old.TimeZone != *s.TimeZone) {
		errs = append(errs, validateTimeZone(*s.TimeZone, child(path, "timeZone"))...)
	}
	known := []batchv1.ConcurrencyPolicy{batchv1.AllowConcurrent, batchv1.ForbidConcurrent, batchv1.ReplaceConcurrent}
	if !slices.Contains(known, s.ConcurrencyPolicy) {
		errs = append(errs, field.NotSupported(child(path, "concurrencyPolicy"), s.ConcurrencyPolicy, known))
	}
	job, at := &s.JobTemplate.Spec, child(path, "jobTemplate", "spec")
	errs = append(errs, validateJobSpec(job, at)...)
	if job.Selector != nil {
		errs = append(errs, field.Invalid(child(at, "selector"), job.Selector, "`selector` will be auto-generated"))
	}
	if value(job.ManualSelector) {
		errs = append(errs, field.NotSupported(child(at, "manualSelector"), true, []string{"nil", "false"}))
	}
	errs = append(errs, nonNegative(child(path, "successfulJobsHistoryLimit"), value(s.SuccessfulJobsHistoryLimit))...)
	return append(errs, nonNegative(child(path, "failedJobsHistoryLimit"), value(s.FailedJobsHistoryLimit))...)
}

// validateSchedule: a time zone inside the schedule was never supported, but objects have one.
func validateSchedule(s, old *batchv1.CronJobSpec, path *field.Path) errorList {
	var errs errorList
	if err := parseSchedule(s.Schedule); err != nil {
		errs = append(errs, field.Invalid(path, s.Schedule, err.Error()))
	}
	hadZone := old != nil && strings.Contains(old.Schedule, "TZ")
	switch hasZone := strings.Contains(s.Schedule, "TZ"); {
	case hasZone && hadZone && s.TimeZone != nil:
		errs = append(errs, field.Invalid(path, s.Schedule, "cannot use both timeZone field and TZ or CRON_TZ in schedule"))
	case hasZone && !hadZone:
		errs = append(errs, field.Invalid(path, s.Schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"))
	}
	return errs
}

// parseSchedule survives the library's panic on "TZ=0".
func parseSchedule(text string) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("invalid schedule format: %v", r)
		}
	}()
	_, err = cron.ParseStandard(text)
	return err
}

// timeZonePart is one component of a time zone's name: https://data.iana.org/time-zones/theory.html#naming.
var timeZonePart = regexp.MustCompile(`^[A-Za-z\.\-_0-9+]{1,14}$`)

// validateTimeZone is strict about the characters because the name becomes the path of a file.
func validateTimeZone(zone string, path *field.Path) errorList {
	if zone == "" {
		return errorList{field.Invalid(path, zone, "timeZone must be nil or non-empty string")}
	}
	for part := range strings.SplitSeq(zone, "/") {
		if part == "." || part == ".." || strings.HasPrefix(part, "-") || !timeZonePart.MatchString(part) {
			return errorList{field.Invalid(path, zone, "unknown time zone "+zone)}
		}
	}
	var errs errorList
	if strings.EqualFold(zone, "Local") {
		errs = append(errs, field.Invalid(path, zone, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"))
	}
	if _, err := time.LoadLocation(zone); err != nil {
		errs = append(errs, field.Invalid(path, zone, err.Error()))
	}
	return errs
}

func cronJobWarnings(c, old *batchv1.CronJob, root *field.Path) []string {
	path := child(root, "spec", "jobTemplate", "spec")
	if old == nil {
		return append(podNameWarning(c.Name), jobSpecWarnings(&c.Spec.JobTemplate.Spec, nil, path)...)
	}
	var texts []string
	if c.Generation != old.Generation {
		texts = jobSpecWarnings(&c.Spec.JobTemplate.Spec, &old.Spec.JobTemplate.Spec, path)
	}
	if strings.Contains(c.Spec.Schedule, "TZ") {
		texts = append(texts, "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, "+
			"see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details")
	}
	return texts
}
