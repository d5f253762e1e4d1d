package kubeletsim

import (
	"context"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"

	"coracle/kubelet-sim/volume"
)

// Runtime runs the processes of containers. Methods are called by many goroutines at once.
type Runtime interface {
	// Start runs a container's process and returns a channel that delivers its end, once.
	// An error means that the process could not be started (RunContainerError).
	//
	// The process MUST end soon after p.Stop is closed if it means to end orderly, as after SIGTERM,
	// and at once when ctx ends, as after SIGKILL; the end MUST be delivered then too, without waiting for a
	// reader. Nothing may be written to p.Stdout and p.Stderr after that.
	Start(ctx context.Context, p Process) (<-chan Exit, error)
}

// Process is what a container is to run.
type Process struct {
	// ID of the container, without the coracle:// in front.
	ID string
	// Pod and Container are shared: not to be changed.
	Pod       *corev1.Pod
	Container *corev1.Container
	// Args is command and args with $(VARIABLES) expanded. Empty: whatever the image would run.
	Args []string
	// Env is the environment as NAME=value, sorted.
	Env []string
	// Rootfs is the absolute path of the container's root directory. What is in it is the container's to change:
	// open it with os.OpenRoot. The symbolic links where volumes are mounted lead out of it; follow Mounts instead.
	Rootfs string
	// Mounts are the volumes that the container sees, outer ones before those inside them.
	Mounts []volume.Mount

	Stdout, Stderr io.Writer

	// StartedAt is when the process was first started. Resumed: it outlived a restart of the kubelet, and
	// is to go on rather than to begin again.
	StartedAt time.Time
	Resumed   bool

	// Stop is closed to ask for an orderly end.
	Stop <-chan struct{}
}

// Exit is how a process ended.
type Exit struct {
	Code    int32
	Signal  int32  // that ended it, 0 for none
	Message string // its termination message
}

// Exits of processes that a signal ended: 128 and the signal's number.
var (
	killed     = Exit{Code: 137}
	terminated = Exit{Code: 143}
)
