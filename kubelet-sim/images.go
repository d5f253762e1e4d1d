package kubeletsim

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"coracle/kubelet-sim/status"
)

// images are the images that the node has. Any image can be pulled, at once.
type images struct {
	mu   sync.Mutex
	have map[string]bool // by full name; guarded by mu
}

func newImages() *images { return &images{have: map[string]bool{}} }

func (i *images) add(image string) {
	name, _ := status.Image(image)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.have[name] = true
}

func (i *images) has(image string) bool {
	name, _ := status.Image(image)
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.have[name]
}

// ensure sees to it that a container's image is on the node, and records how. A failure is the container's
// waiting reason.
func (n *node) ensureImage(pod *corev1.Pod, spec *corev1.Container) *failure {
	record := func(kind, reason, message string) { n.events.pod(pod, spec.Name, kind, reason, message) }
	present := n.images.has(spec.Image)
	switch {
	case present && spec.ImagePullPolicy != corev1.PullAlways:
		record(corev1.EventTypeNormal, "Pulled", fmt.Sprintf("Container image %q already present on machine and can be accessed by the pod", spec.Image))
		return nil
	case spec.ImagePullPolicy == corev1.PullNever:
		message := fmt.Sprintf("Container image %q is not present with pull policy of Never", spec.Image)
		record(corev1.EventTypeWarning, "ErrImageNeverPull", message)
		return &failure{reason: "ErrImageNeverPull", message: message, recorded: true}
	}
	record(corev1.EventTypeNormal, "Pulling", fmt.Sprintf("Pulling image %q", spec.Image))
	begun := n.now()
	n.images.add(spec.Image)
	took := n.now().Sub(begun).Truncate(time.Millisecond)
	record(corev1.EventTypeNormal, "Pulled", fmt.Sprintf("Successfully pulled image %q in %v (%v including waiting). Image size: %d bytes.", spec.Image, took, took, imageSize(spec.Image)))
	return nil
}

// imageSize makes up a size, always the same for the same image: between 1 and 128 MiB.
func imageSize(image string) uint32 {
	name, _ := status.Image(image)
	sum := sha256.Sum256([]byte(name))
	return 1<<20 + binary.BigEndian.Uint32(sum[:])%(127<<20)
}
