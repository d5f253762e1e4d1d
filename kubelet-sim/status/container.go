package status

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Runtime is the scheme of container IDs and the name that nodes report.
const Runtime = "coracle"

// Created is the status of a container before it was ever started.
func Created(pod *corev1.Pod, spec *corev1.Container) corev1.ContainerStatus {
	reason := "ContainerCreating"
	if len(pod.Spec.InitContainers) > 0 {
		reason = "PodInitializing"
	}
	return corev1.ContainerStatus{
		Name:         spec.Name,
		Image:        spec.Image,
		State:        corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}},
		Started:      new(false),
		VolumeMounts: mounts(spec),
	}
}

// Started is the status of a container whose process began to run; restarts is how many ran before.
func Started(pod *corev1.Pod, spec *corev1.Container, old corev1.ContainerStatus, id string, restarts int32, at time.Time) corev1.ContainerStatus {
	image, imageID := Image(spec.Image)
	return corev1.ContainerStatus{
		Name:                 spec.Name,
		State:                corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: seconds(at)}},
		LastTerminationState: last(old),
		Ready:                RoleOf(pod, spec.Name).Serves(),
		Started:              new(true),
		RestartCount:         restarts,
		Image:                image,
		ImageID:              imageID,
		ContainerID:          Runtime + "://" + id,
		AllocatedResources:   spec.Resources.Requests.DeepCopy(),
		Resources:            spec.Resources.DeepCopy(),
		VolumeMounts:         mounts(spec),
		User:                 user(pod, spec),
	}
}

// Ended is the status of a container whose process ended. An init container that succeeded is ready.
func Ended(role Role, old corev1.ContainerStatus, code, signal int32, message string, at time.Time) corev1.ContainerStatus {
	reason := "Error"
	if code == 0 {
		reason = "Completed"
	}
	end := &corev1.ContainerStateTerminated{
		ExitCode: code, Signal: signal, Reason: reason, Message: message,
		FinishedAt: seconds(at), ContainerID: old.ContainerID,
	}
	if old.State.Running != nil {
		end.StartedAt = old.State.Running.StartedAt
	}
	old.State = corev1.ContainerState{Terminated: end}
	old.Ready, old.Started = role == Init && code == 0, new(false)
	return old
}

// Held is the status of a container that should run but does not for the reason given.
func Held(old corev1.ContainerStatus, reason, message string) corev1.ContainerStatus {
	old.LastTerminationState = last(old)
	old.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	old.Ready, old.Started = false, new(false)
	return old
}

// Lost is the status of a container of which nobody knows how it ended, or whether it ever ran.
func Lost(old corev1.ContainerStatus) corev1.ContainerStatus {
	old.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: 137, Reason: "ContainerStatusUnknown", Message: "The container could not be located when the pod was terminated",
	}}
	old.Ready, old.Started = false, new(false)
	return old
}

// last is the most recent end of a container.
func last(status corev1.ContainerStatus) corev1.ContainerState {
	if status.State.Terminated != nil {
		return status.State
	}
	return status.LastTerminationState
}

func seconds(t time.Time) metav1.Time { return metav1.NewTime(t).Rfc3339Copy() }

func mounts(spec *corev1.Container) []corev1.VolumeMountStatus {
	var mounts []corev1.VolumeMountStatus
	for _, mount := range spec.VolumeMounts {
		status := corev1.VolumeMountStatus{Name: mount.Name, MountPath: mount.MountPath, ReadOnly: mount.ReadOnly}
		if mount.ReadOnly {
			status.RecursiveReadOnly = new(corev1.RecursiveReadOnlyDisabled)
		}
		mounts = append(mounts, status)
	}
	return mounts
}

// user is who the container's first process runs as: root, where neither pod nor container say otherwise.
func user(pod *corev1.Pod, spec *corev1.Container) *corev1.ContainerUser {
	linux := &corev1.LinuxContainerUser{}
	var extra []int64
	if of := pod.Spec.SecurityContext; of != nil {
		linux.UID, linux.GID = or(of.RunAsUser, 0), or(of.RunAsGroup, 0)
		extra = of.SupplementalGroups
		if of.FSGroup != nil {
			extra = append([]int64{*of.FSGroup}, extra...)
		}
	}
	if of := spec.SecurityContext; of != nil {
		linux.UID, linux.GID = or(of.RunAsUser, linux.UID), or(of.RunAsGroup, linux.GID)
	}
	linux.SupplementalGroups = append([]int64{linux.GID}, extra...)
	return &corev1.ContainerUser{Linux: linux}
}

func or(p *int64, otherwise int64) int64 {
	if p != nil {
		return *p
	}
	return otherwise
}
