package protection

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"coracle/controllers/loop"
)

// Claims keeps the claims that pods on a node mount.
type Claims struct {
	*protector
	client kubernetes.Interface
}

// NewClaims makes a controller. Call it before the factory starts.
func NewClaims(client kubernetes.Interface, server Server, factory informers.SharedInformerFactory, log *slog.Logger) *Claims {
	c := &Claims{newProtector("persistentvolumeclaim-protection", "kubernetes.io/pvc-protection", server, log), client}
	c.path = func(n cache.ObjectName) string {
		return "/api/v1/namespaces/" + n.Namespace + "/persistentvolumeclaims/" + n.Name
	}
	c.used = c.mounted
	loop.Watch(c.loop, factory.Core().V1().PersistentVolumeClaims().Informer(), func(_, claim *v1.PersistentVolumeClaim) {
		if claim != nil {
			c.changed(claim)
		}
	})
	loop.Watch(c.loop, factory.Core().V1().Pods().Informer(), func(old, pod *v1.Pod) {
		if old != nil && (pod == nil || pod.UID != old.UID) {
			c.released(old)
		}
		if pod != nil && ended(pod) {
			c.released(pod)
		}
	})
	return c
}

// Run runs the controller until ctx ends.
func (c *Claims) Run(ctx context.Context) error { return c.loop.Run(ctx, 1) }

// released queues the claims of a pod that may no longer need them.
func (c *Claims) released(pod *v1.Pod) {
	for _, volume := range pod.Spec.Volumes {
		if name := claimOf(pod, volume); name != "" {
			c.loop.Add(cache.NewObjectName(pod.Namespace, name))
		}
	}
}

// mounted asks the server, not the informer: a pod that is too new to be known here must not lose its data.
func (c *Claims) mounted(ctx context.Context, claim cache.ObjectName, body []byte) (bool, error) {
	var object metav1.PartialObjectMetadata
	if err := json.Unmarshal(body, &object); err != nil {
		return false, err
	}
	pods, err := c.client.CoreV1().Pods(claim.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(pods.Items, func(pod v1.Pod) bool { return mounts(&pod, &object) }), nil
}

// mounts tells whether a pod needs a claim. One that is on no node yet will not be started with a claim that is being deleted.
func mounts(pod *v1.Pod, claim metav1.Object) bool {
	return pod.Spec.NodeName != "" && slices.ContainsFunc(pod.Spec.Volumes, func(volume v1.Volume) bool {
		if claimOf(pod, volume) != claim.GetName() {
			return false
		}
		return volume.Ephemeral == nil || !shutDown(pod) && metav1.IsControlledBy(claim, pod)
	})
}

// claimOf is the name of the claim that a volume is, "" if it is something else.
func claimOf(pod *v1.Pod, volume v1.Volume) string {
	switch {
	case volume.PersistentVolumeClaim != nil:
		return volume.PersistentVolumeClaim.ClaimName
	case volume.Ephemeral != nil:
		return pod.Name + "-" + volume.Name
	}
	return ""
}

func ended(pod *v1.Pod) bool {
	return pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed || shutDown(pod)
}

// shutDown tells whether the node is done with a pod, or need not be waited for.
func shutDown(pod *v1.Pod) bool {
	return pod.DeletionTimestamp != nil && pod.DeletionGracePeriodSeconds != nil && *pod.DeletionGracePeriodSeconds == 0
}
