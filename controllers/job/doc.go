// Package job runs pods until as many of them have ended well as a Job asks for.
//
// The nouns:
//
//   - run: one Job at one moment, with its pods.
//   - tracking: each pod carries the finalizer batch.kubernetes.io/job-tracking, so that it cannot vanish uncounted.
//     First its UID is written into the Job's status, then the finalizer is taken away, then the UID becomes a number
//     (track.go). Whatever happens in between, each pod counts once.
//   - index: of an Indexed Job each pod does the part with its number (indexes.go).
//   - verdict: what ends the Job; first as an interim condition, SuccessCriteriaMet or FailureTarget, and when its pods have
//     ended as Complete or Failed.
//
// Start reading at Controller.reconcile.
//
// Identity: ServiceAccount kube-system/job-controller. RBAC: ClusterRole system:controller:job-controller.
//
// Upstream: pkg/controller/job.
//
// # Simplifications
//
//   - How long to wait before a failed pod is replaced, and how often the pods of an index have failed, is counted from the
//     failed pods that are still there, not remembered: whoever deletes one makes the Job forget it in this respect.
//   - No Workloads and PodGroups (scheduling.k8s.io, gang scheduling).
package job
