package catalog

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Source of the sentences: k8s.io/kubernetes/pkg/apis/apps/validation.

func validateDeploymentStatus(d, old *appsv1.Deployment, root *field.Path) errorList {
	s, path := d.Status, child(root, "status")
	errs := nonNegative(child(path, "observedGeneration"), s.ObservedGeneration)
	errs = append(errs, nonNegative(child(path, "replicas"), s.Replicas)...)
	errs = append(errs, nonNegative(child(path, "updatedReplicas"), s.UpdatedReplicas)...)
	errs = append(errs, nonNegative(child(path, "readyReplicas"), s.ReadyReplicas)...)
	errs = append(errs, nonNegative(child(path, "availableReplicas"), s.AvailableReplicas)...)
	errs = append(errs, nonNegative(child(path, "unavailableReplicas"), s.UnavailableReplicas)...)
	errs = append(errs, nonNegative(child(path, "terminatingReplicas"), value(s.TerminatingReplicas))...)
	errs = append(errs, nonNegative(child(path, "collisionCount"), value(s.CollisionCount))...)
	errs = append(errs, notMore(child(path, "updatedReplicas"), s.UpdatedReplicas, s.Replicas, "status.replicas")...)
	errs = append(errs, notMore(child(path, "readyReplicas"), s.ReadyReplicas, s.Replicas, "status.replicas")...)
	errs = append(errs, notMore(child(path, "availableReplicas"), s.AvailableReplicas, s.Replicas, "status.replicas")...)
	errs = append(errs, notMore(child(path, "availableReplicas"), s.AvailableReplicas, s.ReadyReplicas, "readyReplicas")...)
	return append(errs, onlyGrows(child(path, "collisionCount"), s.CollisionCount, old.Status.CollisionCount)...)
}

func validateReplicaSetStatus(r, _ *appsv1.ReplicaSet, root *field.Path) errorList {
	s, path := r.Status, child(root, "status")
	errs := nonNegative(child(path, "replicas"), s.Replicas)
	errs = append(errs, nonNegative(child(path, "fullyLabeledReplicas"), s.FullyLabeledReplicas)...)
	errs = append(errs, nonNegative(child(path, "readyReplicas"), s.ReadyReplicas)...)
	errs = append(errs, nonNegative(child(path, "availableReplicas"), s.AvailableReplicas)...)
	errs = append(errs, nonNegative(child(path, "observedGeneration"), s.ObservedGeneration)...)
	errs = append(errs, nonNegative(child(path, "terminatingReplicas"), value(s.TerminatingReplicas))...)
	errs = append(errs, notMore(child(path, "fullyLabeledReplicas"), s.FullyLabeledReplicas, s.Replicas, "status.replicas")...)
	errs = append(errs, notMore(child(path, "readyReplicas"), s.ReadyReplicas, s.Replicas, "status.replicas")...)
	errs = append(errs, notMore(child(path, "availableReplicas"), s.AvailableReplicas, s.Replicas, "status.replicas")...)
	return append(errs, notMore(child(path, "availableReplicas"), s.AvailableReplicas, s.ReadyReplicas, "readyReplicas")...)
}

func validateDaemonSetStatus(d, old *appsv1.DaemonSet, root *field.Path) errorList {
	s, path := d.Status, child(root, "status")
	errs := nonNegative(child(path, "currentNumberScheduled"), s.CurrentNumberScheduled)
	errs = append(errs, nonNegative(child(path, "numberMisscheduled"), s.NumberMisscheduled)...)
	errs = append(errs, nonNegative(child(path, "desiredNumberScheduled"), s.DesiredNumberScheduled)...)
	errs = append(errs, nonNegative(child(path, "numberReady"), s.NumberReady)...)
	errs = append(errs, nonNegative(child(path, "observedGeneration"), s.ObservedGeneration)...)
	errs = append(errs, nonNegative(child(path, "updatedNumberScheduled"), s.UpdatedNumberScheduled)...)
	errs = append(errs, nonNegative(child(path, "numberAvailable"), s.NumberAvailable)...)
	errs = append(errs, nonNegative(child(path, "numberUnavailable"), s.NumberUnavailable)...)
	errs = append(errs, nonNegative(child(path, "collisionCount"), value(s.CollisionCount))...)
	return append(errs, onlyGrows(child(path, "collisionCount"), s.CollisionCount, old.Status.CollisionCount)...)
}

func validateStatefulSetStatus(d, old *appsv1.StatefulSet, root *field.Path) errorList {
	s, path := d.Status, child(root, "status")
	errs := nonNegative(child(path, "replicas"), s.Replicas)
	errs = append(errs, nonNegative(child(path, "readyReplicas"), s.ReadyReplicas)...)
	errs = append(errs, nonNegative(child(path, "currentReplicas"), s.CurrentReplicas)...)
	errs = append(errs, nonNegative(child(path, "updatedReplicas"), s.UpdatedReplicas)...)
	errs = append(errs, nonNegative(child(path, "availableReplicas"), s.AvailableReplicas)...)
	errs = append(errs, nonNegative(child(path, "observedGeneration"), s.ObservedGeneration)...)
	errs = append(errs, nonNegative(child(path, "collisionCount"), value(s.CollisionCount))...)
	errs = append(errs, notMore(child(path, "readyReplicas"), s.ReadyReplicas, s.Replicas, "status.replicas")...)
	errs = append(errs, notMore(child(path, "currentReplicas"), s.CurrentReplicas, s.Replicas, "status.replicas")...)
	errs = append(errs, notMore(child(path, "updatedReplicas"), s.UpdatedReplicas, s.Replicas, "status.replicas")...)
	errs = append(errs, notMore(child(path, "availableReplicas"), s.AvailableReplicas, s.Replicas, "status.replicas")...)
	errs = append(errs, notMore(child(path, "availableReplicas"), s.AvailableReplicas, s.ReadyReplicas, "status.readyReplicas")...)
	return append(errs, onlyGrows(child(path, "collisionCount"), s.CollisionCount, old.Status.CollisionCount)...)
}

func notMore(path *field.Path, n, limit int32, limitName string) errorList {
	if n <= limit {
		return nil
	}
	return errorList{field.Invalid(path, n, "cannot be greater than "+limitName)}
}

func onlyGrows(path *field.Path, n, old *int32) errorList {
	if old == nil || n != nil && *n >= *old {
		return nil
	}
	return errorList{field.Invalid(path, value(n), "cannot be decremented")}
}

// Warnings of the workloads.

func deploymentWarnings(d, old *appsv1.Deployment, root *field.Path) []string {
	if old != nil {
		if d.Generation == old.Generation {
			return nil
		}
		return templateWarnings(&d.Spec.Template, &old.Spec.Template, child(root, "spec", "template"))
	}
	return append(podNameWarning(d.Name), templateWarnings(&d.Spec.Template, nil, child(root, "spec", "template"))...)
}

func replicaSetWarnings(r, old *appsv1.ReplicaSet, root *field.Path) []string {
	if old != nil {
		if r.Generation == old.Generation {
			return nil
		}
		return templateWarnings(&r.Spec.Template, &old.Spec.Template, child(root, "spec", "template"))
	}
	return append(podNameWarning(r.Name), templateWarnings(&r.Spec.Template, nil, child(root, "spec", "template"))...)
}

func daemonSetWarnings(d, old *appsv1.DaemonSet, root *field.Path) []string {
	if old == nil {
		return templateWarnings(&d.Spec.Template, nil, child(root, "spec", "template"))
	}
	if templateGeneration(d) == templateGeneration(old) {
		return nil
	}
	return templateWarnings(&d.Spec.Template, &old.Spec.Template, child(root, "spec", "template"))
}

func statefulSetWarnings(s, old *appsv1.StatefulSet, root *field.Path) []string {
	var warnings []string
	switch {
	case old == nil:
		warnings = templateWarnings(&s.Spec.Template, nil, child(root, "spec", "template"))
	case s.Generation != old.Generation:
		warnings = templateWarnings(&s.Spec.Template, &old.Spec.Template, child(root, "spec", "template"))
	}
	if n := s.Spec.RevisionHistoryLimit; n != nil && *n < 0 {
		warnings = append(warnings, "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended")
	}
	return warnings
}

// podNameWarning: pods are named after their workload, and their names become host names.
func podNameWarning(name string) []string {
	if texts := isDNSLabel(name); len(texts) > 0 {
		return []string{fmt.Sprintf("metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: %v", texts)}
	}
	return nil
}
