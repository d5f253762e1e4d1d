package kubeletsim

import (
	"context"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"

	"coracle/kubelet-sim/volume"
)

// Runtime runs the processes of containers.
type Runtime interface {
	// Start runs a container's process and returns a channel that delivers its end, once.
	// An error means that the process could not be started (RunContainerError).
	//
	// The process MUST end soon after p.Stop is closed if it wants to end orderly, as after SIGTERM,
	// and at once when ctx ends, as after SIGKILL; then the channel must deliver or be closed as well.
	// Output MUST NOT be written after the end was delivered.
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
	// Rootfs is the absolute path of the container's root directory. Its contents are the container's:
	// open it and the mounts with os.OpenRoot, never by joining paths.
	Rootfs string
	// Mounts are the volumes that the container sees, parents before what is mounted inside them.
	Mounts []volume.Mount

	Stdout, Stderr io.Writer

	// StartedAt is when the process was first started. Resumed: it outlived a restart of the kubelet and
	// is to go on, rather than begin again.
	StartedAt time.Time
	Resumed   bool

	// Stop is closed to ask for an orderly end.
	Stop <-chan struct{}
}

// Exit is how a process ended.
type Exit struct {
	Code int32
	// Signal that ended it, 0 for none.
	Signal int32
}
