// Package cronjob makes Jobs by the clock.
//
// The nouns:
//
//   - schedule: the times at which a CronJob wants a Job, to the minute.
//   - unmet time: the latest of them that has passed without. Of several that were missed only that one is made up for.
//   - active: the Jobs of a CronJob that have not finished; its status lists them.
//
// A Job's name holds the minute for which it was made: none is made twice for one.
//
// Start reading at Controller.reconcile.
//
// Identity: ServiceAccount kube-system/cronjob-controller. RBAC: ClusterRole system:controller:cronjob-controller.
//
// Upstream: pkg/controller/cronjob.
package cronjob
