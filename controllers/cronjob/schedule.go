package cronjob

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
	batchv1 "k8s.io/api/batch/v1"
)

// manyMissed is how many missed times are a sign that something is wrong.
const manyMissed = 100

// schedule reads a CronJob's; what is wrong with it an Event tells.
func (c *Controller) schedule(job *batchv1.CronJob) (cron.Schedule, bool) {
	text := job.Spec.Schedule
	switch {
	case strings.Contains(text, "TZ"):
		c.events.Warning(job, "UnsupportedSchedule", "CRON_TZ or TZ used in schedule %q is not officially supported, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details", text)
	case job.Spec.TimeZone != nil:
		if _, err := time.LoadLocation(*job.Spec.TimeZone); err != nil {
			c.events.Warning(job, "UnknownTimeZone", "invalid timeZone: %q: %s", *job.Spec.TimeZone, err)
			return nil, false
		}
		text = "TZ=" + *job.Spec.TimeZone + " " + text
	}
	schedule, err := parse(text)
	if err != nil {
		c.events.Warning(job, "UnparseableSchedule", "unparseable schedule: %q : %s", job.Spec.Schedule, err)
		return nil, false
	}
	return schedule, true
}

// parse reads a schedule. The parser panics on some that begin with TZ= and have nothing after it.
func parse(text string) (schedule cron.Schedule, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("invalid schedule format: %v", r)
		}
	}()
	return cron.ParseStandard(text)
}

func zone(job *batchv1.CronJob) *time.Location {
	if job.Spec.TimeZone != nil {
		if location, err := time.LoadLocation(*job.Spec.TimeZone); err == nil {
			return location
		}
	}
	return time.UTC
}

// latest is the latest time since the CronJob's last Job at which there should have been another, zero if there is none, and
// about how many there were. It does not go through all of them: a clock may have been wrong by years.
func latest(c *batchv1.CronJob, schedule cron.Schedule, now time.Time) (at time.Time, missed int64, err error) {
	from := c.CreationTimestamp.Time
	if c.Status.LastScheduleTime != nil {
		from = c.Status.LastScheduleTime.Time
	}
	if d := c.Spec.StartingDeadlineSeconds; d != nil {
		if earliest := now.Add(-time.Duration(*d) * time.Second); earliest.After(from) {
			from = earliest
		}
	}
	first := schedule.Next(from)
	second := schedule.Next(first)
	if now.Before(first) {
		return time.Time{}, 0, nil
	}
	if now.Before(second) {
		return first, 1, nil
	}
	between := second.Sub(first).Round(time.Second)
	if between < time.Second { // February 31st
		return time.Time{}, 0, errors.New("time difference between two schedules is less than 1 second")
	}
	missed = int64(now.Sub(first)/between) + 1
	// Times need not be evenly spaced: from one before the estimate the schedule itself tells the last.
	for t := schedule.Next(first.Add(time.Duration(missed-2) * between)); !t.IsZero() && !t.After(now); t = schedule.Next(t) {
		at = t
	}
	return at, missed, nil
}
