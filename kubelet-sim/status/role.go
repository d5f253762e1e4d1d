package status

import (
	corev1 "k8s.io/api/core/v1"
)

// Role is a container's part in its pod.
type Role int

// The roles, in the order in which containers start.
const (
	Init      Role = iota // runs to its end before the next starts
	Sidecar               // an init container that goes on beside the others
	Main                  // one of spec.containers
	Ephemeral             // added later, to debug
)

// RoleOf is the part that the container of that name has. Names are unique within a pod.
func RoleOf(pod *corev1.Pod, name string) Role {
	for i := range pod.Spec.InitContainers {
		if pod.Spec.InitContainers[i].Name == name {
			if IsSidecar(&pod.Spec.InitContainers[i]) {
				return Sidecar
			}
			return Init
		}
	}
	for i := range pod.Spec.EphemeralContainers {
		if pod.Spec.EphemeralContainers[i].Name == name {
			return Ephemeral
		}
	}
	return Main
}

// Serves tells whether containers of this role are ready while they run, rather than when they are done.
func (r Role) Serves() bool { return r == Sidecar || r == Main }
