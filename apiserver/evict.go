package apiserver

import (
	"net/http"
	"slices"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
)

// evict deletes a pod unless a PodDisruptionBudget stands against it.
// Source: k8s.io/kubernetes/pkg/registry/core/pod/storage/eviction.go.
func (c *call) evict() error {
	e := &policyv1.Eviction{}
	f, opts, err := c.decodeCreate(e)
	if err != nil {
		return err
	}
	if e.Name != "" && e.Name != c.info.Name {
		return apierrors.NewBadRequest("name in URL does not match name in Eviction object")
	}
	if err := c.matchNamespace(e); err != nil {
		return err
	}
	if err := c.admit(e, opts); err != nil {
		return err
	}
	pod, err := c.pod(c.info.Name)
	if err != nil {
		return err
	}
	del := e.DeleteOptions
	if del == nil {
		del = &metav1.DeleteOptions{}
	}
	if len(opts.DryRun) > 0 && len(del.DryRun) == 0 {
		del.DryRun = opts.DryRun
	}
	if countsForBudget(pod) {
		if err := c.spendBudget(pod, dryRun(del.DryRun)); err != nil {
			return err
		}
	}
	if len(del.DryRun) == 0 && (del.Preconditions == nil || del.Preconditions.ResourceVersion == nil) {
		if err := c.markDisrupted(del); err != nil {
			return err
		}
	}
	if _, _, _, err := c.admitted().remove(c.info.Namespace, c.info.Name, del); err != nil {
		return err
	}
	c.send(c.w, f, http.StatusCreated, &metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusSuccess, Code: http.StatusCreated,
	})
	return nil
}

// countsForBudget: a pod that is over, not started or on its way out disturbs nobody by going.
func countsForBudget(pod *corev1.Pod) bool {
	switch pod.Status.Phase {
	case corev1.PodSucceeded, corev1.PodFailed, corev1.PodPending:
		return false
	}
	return pod.DeletionTimestamp == nil
}

// markDisrupted tells in the pod's status why it ends.
func (c *call) markDisrupted(opts *metav1.DeleteOptions) error {
	on := c.admitted()
	on.sub, _ = c.kind.Subresource("status")
	_, _, err := on.applyChange(change{
		options: &metav1.UpdateOptions{},
		applied: true, // nobody comes to own it
		next: func(old runtime.Object, _ []byte) (runtime.Object, error) {
			pod := old.DeepCopyObject().(*corev1.Pod)
			if err := c.checkPreconditions(pod, opts.Preconditions); err != nil {
				return nil, err
			}
			pod.ResourceVersion = "" // whichever it is
			target := corev1.PodCondition{
				Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(c.Now()).Rfc3339Copy(),
				Reason: "EvictionByEvictionAPI", Message: "Eviction API: evicting",
			}
			pod.Status.Conditions = append(slices.DeleteFunc(pod.Status.Conditions, func(p corev1.PodCondition) bool {
				return p.Type == target.Type
			}), target)
			return pod, nil
		},
	})
	return err
}

// cloneInfo is a request's info for another object.
func cloneInfo(info *apirequest.RequestInfo, namespace, name string) *apirequest.RequestInfo {
	out := *info
	out.Namespace, out.Name = namespace, name
	return &out
}
