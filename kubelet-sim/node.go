package kubeletsim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"runtime"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// object is the Node as the kubelet creates it.
func (c Config) object(now time.Time) *corev1.Node {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name:        c.NodeName,
		Labels:      c.labels(),
		Annotations: map[string]string{"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
	}}
	node.Spec.PodCIDR, node.Spec.PodCIDRs = c.PodCIDR, []string{c.PodCIDR}
	node.Status = c.status(corev1.NodeStatus{}, now)
	return node
}

// port is where the node's own API listens, 0 for nowhere.
func (c Config) port() int32 {
	if c.Listener == nil {
		return 0
	}
	at, ok := c.Listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0
	}
	return int32(at.Port)
}

// labels are the kubelet's own, and the config's.
func (c Config) labels() map[string]string {
	labels := map[string]string{
		corev1.LabelHostname:      c.NodeName,
		corev1.LabelOSStable:      "linux",
		corev1.LabelArchStable:    runtime.GOARCH,
		"beta.kubernetes.io/os":   "linux",
		"beta.kubernetes.io/arch": runtime.GOARCH,
	}
	maps.Copy(labels, c.Labels)
	return labels
}

// status brings a node's status up to date. What others wrote into it stays.
func (c Config) status(old corev1.NodeStatus, now time.Time) corev1.NodeStatus {
	status := *old.DeepCopy()
	status.Addresses = []corev1.NodeAddress{
		{Type: corev1.NodeInternalIP, Address: c.NodeIP},
		{Type: corev1.NodeHostName, Address: c.NodeName},
	}
	if status.Capacity == nil {
		status.Capacity, status.Allocatable = corev1.ResourceList{}, corev1.ResourceList{}
	}
	maps.Copy(status.Capacity, capacity())
	maps.Copy(status.Allocatable, allocatable())
	status.DaemonEndpoints.KubeletEndpoint.Port = c.port()
	status.NodeInfo = c.info()
	stamp := metav1.NewTime(now).Rfc3339Copy()
	for _, condition := range []corev1.NodeCondition{
		{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasSufficientMemory", Message: "kubelet has sufficient memory available"},
		{Type: corev1.NodeDiskPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasNoDiskPressure", Message: "kubelet has no disk pressure"},
		{Type: corev1.NodePIDPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasSufficientPID", Message: "kubelet has sufficient PID available"},
		{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", Message: "kubelet is posting ready status"},
	} {
		condition.LastHeartbeatTime = stamp
		setNodeCondition(&status, condition)
	}
	return status
}

func setNodeCondition(status *corev1.NodeStatus, condition corev1.NodeCondition) {
	for i, old := range status.Conditions {
		if old.Type == condition.Type {
			condition.LastTransitionTime = condition.LastHeartbeatTime
			if old.Status == condition.Status {
				condition.LastTransitionTime = old.LastTransitionTime
			}
			status.Conditions[i] = condition
			return
		}
	}
	condition.LastTransitionTime = condition.LastHeartbeatTime
	status.Conditions = append(status.Conditions, condition)
}

func capacity() corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU:              resource.MustParse("8"),
		corev1.ResourceMemory:           resource.MustParse("16Gi"),
		corev1.ResourceEphemeralStorage: resource.MustParse("100Gi"),
		corev1.ResourcePods:             resource.MustParse("110"),
		"hugepages-1Gi":                 resource.MustParse("0"),
		"hugepages-2Mi":                 resource.MustParse("0"),
	}
}

// allocatable is what eviction thresholds leave: memory less 100Mi, storage less a tenth.
func allocatable() corev1.ResourceList {
	list := capacity()
	memory := list[corev1.ResourceMemory]
	memory.Sub(resource.MustParse("100Mi"))
	list[corev1.ResourceMemory] = memory
	storage := list[corev1.ResourceEphemeralStorage]
	list[corev1.ResourceEphemeralStorage] = *resource.NewQuantity(storage.Value()/10*9, resource.BinarySI)
	return list
}

// info describes the simulated machine. Its ids follow from the node's name: the same node is the same machine.
func (c Config) info() corev1.NodeSystemInfo {
	sum := sha256.Sum256([]byte("node " + c.NodeName))
	id := hex.EncodeToString(sum[:16])
	uuid := func(s string) string {
		return fmt.Sprintf("%s-%s-%s-%s-%s", s[:8], s[8:12], s[12:16], s[16:20], s[20:32])
	}
	return corev1.NodeSystemInfo{
		MachineID:               id,
		SystemUUID:              uuid(id),
		BootID:                  uuid(hex.EncodeToString(sum[16:])),
		KernelVersion:           "6.12.0-coracle",
		OSImage:                 "Coracle (simulated)",
		ContainerRuntimeVersion: "coracle://" + strings.TrimPrefix(c.Version, "v"),
		KubeletVersion:          c.Version,
		OperatingSystem:         "linux",
		Architecture:            runtime.GOARCH,
	}
}
