package apiserver

import (
	"errors"
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
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
	if err := c.admit(e, opts); err != nil {
		return err
	}
	entry, err := c.Registry.Get(c.kind, c.info.Namespace, c.info.Name)
	if err != nil {
		return err
	}
	obj, err := c.Registry.Object(c.kind, entry)
	if err != nil {
		return err
	}
	pod, ok := obj.(*corev1.Pod)
	if !ok {
		return apierrors.NewInternalError(errNotPod)
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
	if _, _, _, err := c.remove(c.info.Namespace, c.info.Name, del); err != nil {
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

// spendBudget takes one of the disruptions that the pod's budget allows.
func (c *call) spendBudget(pod *corev1.Pod, dry bool) error {
	kind := c.Catalog.ByResource(policyv1.SchemeGroupVersion.WithResource("poddisruptionbudgets"))
	if kind == nil {
		return nil
	}
	budgets, err := c.budgetsOf(pod)
	if err != nil || len(budgets) == 0 {
		return err
	}
	if len(budgets) > 1 {
		return apierrors.NewInternalError(errManyBudgets)
	}
	on := *c
	on.kind, on.info = kind, cloneInfo(c.info, budgets[0].Namespace, budgets[0].Name)
	on.sub, _ = kind.Subresource("status")
	_, _, err = on.applyChange(change{
		options: &metav1.UpdateOptions{}, dryRun: dry,
		next: func(old runtime.Object) (runtime.Object, error) {
			pdb := old.DeepCopyObject().(*policyv1.PodDisruptionBudget)
			if !healthy(pod) && pdb.Status.CurrentHealthy >= pdb.Status.DesiredHealthy && pdb.Status.DesiredHealthy > 0 {
				return pdb, nil // evicting what is broken already costs nothing
			}
			if pdb.Status.ObservedGeneration < pdb.Generation {
				return nil, tooManyDisruptions(c, pdb, "The disruption budget "+pdb.Name+" is still being processed by the server.", 10)
			}
			if pdb.Status.DisruptionsAllowed <= 0 {
				return nil, tooManyDisruptions(c, pdb, budgetSentence(pdb), 0)
			}
			pdb.Status.DisruptionsAllowed--
			if pdb.Status.DisruptedPods == nil {
				pdb.Status.DisruptedPods = map[string]metav1.Time{}
			}
			pdb.Status.DisruptedPods[pod.Name] = metav1.NewTime(c.Now()).Rfc3339Copy()
			return pdb, nil
		},
	})
	return err
}

func (c *call) budgetsOf(pod *corev1.Pod) ([]*policyv1.PodDisruptionBudget, error) {
	kind := c.Catalog.ByResource(policyv1.SchemeGroupVersion.WithResource("poddisruptionbudgets"))
	objs, err := c.Registry.All(c.r.Context(), kind, pod.Namespace)
	if err != nil {
		return nil, err
	}
	var out []*policyv1.PodDisruptionBudget
	for _, obj := range objs {
		pdb, ok := obj.(*policyv1.PodDisruptionBudget)
		if !ok {
			continue
		}
		sel, err := metav1.LabelSelectorAsSelector(pdb.Spec.Selector)
		if err == nil && sel.Matches(labels.Set(pod.Labels)) {
			out = append(out, pdb)
		}
	}
	return out, nil
}

func healthy(pod *corev1.Pod) bool {
	for _, cond := range pod.Status.Conditions {
		if cond.Type == corev1.PodReady {
			return cond.Status == corev1.ConditionTrue
		}
	}
	return false
}

// tooManyDisruptions is upstream's 429.
func tooManyDisruptions(_ *call, pdb *policyv1.PodDisruptionBudget, why string, retry int) error {
	err := apierrors.NewTooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", retry)
	err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{
		Type: policyv1.DisruptionBudgetCause, Message: why,
	})
	return err
}

func budgetSentence(pdb *policyv1.PodDisruptionBudget) string {
	return fmt.Sprintf("The disruption budget %s needs %d healthy pods and has %d currently", pdb.Name, pdb.Status.DesiredHealthy, pdb.Status.CurrentHealthy)
}

var (
	errNotPod      = errors.New("only pods can be evicted")
	errManyBudgets = errors.New("This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.")
)

// cloneInfo is a request's info for another object.
func cloneInfo(info *apirequest.RequestInfo, namespace, name string) *apirequest.RequestInfo {
	out := *info
	out.Namespace, out.Name = namespace, name
	return &out
}
