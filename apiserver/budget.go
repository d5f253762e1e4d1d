package apiserver

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
)

// maxDisrupted is how many evictions may be under way that the disruption controller has not taken note of.
const maxDisrupted = 2000

var errManyBudgets = plain("This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.")

// spendBudget takes one of the disruptions that the pod's budget allows, unless it costs none, which it tells. Of many who do so at
// the same time each gets his own. It is the server that writes them down, not who evicts.
func (c *call) spendBudget(pod *corev1.Pod, dry bool) (budget string, free bool, err error) {
	kind := c.Catalog.ByResource(policyv1.SchemeGroupVersion.WithResource("poddisruptionbudgets"))
	if kind == nil {
		return "", false, nil
	}
	budgets, err := c.budgetsOf(pod)
	if err != nil || len(budgets) == 0 {
		return "", false, err
	}
	if len(budgets) > 1 {
		return "", false, errManyBudgets
	}
	if budget = budgets[0].Name; isFree(budgets[0], pod) {
		return budget, true, nil
	}
	on := *c
	on.r = c.r.WithContext(apirequest.WithUser(c.r.Context(), &user.DefaultInfo{Name: user.APIServerUser, Groups: []string{user.SystemPrivilegedGroup}}))
	on.settled = dry // nothing is written
	on.kind, on.info = kind, cloneInfo(c.info, budgets[0].Namespace, budgets[0].Name)
	on.sub, _ = kind.Subresource("status")
	_, _, err = on.applyChange(change{
		options: &metav1.UpdateOptions{FieldManager: "kube-apiserver"}, dryRun: dry,
		next: func(old runtime.Object, _ []byte) (runtime.Object, error) {
			pdb := old.DeepCopyObject().(*policyv1.PodDisruptionBudget)
			if err := mayDisrupt(pdb); err != nil {
				return nil, err
			}
			pdb.ResourceVersion = "" // whoever was faster has left a newer one: it is read again
			pdb.Status.DisruptionsAllowed--
			if pdb.Status.DisruptionsAllowed == 0 {
				meta.SetStatusCondition(&pdb.Status.Conditions, metav1.Condition{
					Type: policyv1.DisruptionAllowedCondition, Status: metav1.ConditionFalse, Reason: policyv1.InsufficientPodsReason,
					ObservedGeneration: pdb.Status.ObservedGeneration,
				})
			}
			if pdb.Status.DisruptedPods == nil {
				pdb.Status.DisruptedPods = map[string]metav1.Time{}
			}
			pdb.Status.DisruptedPods[pod.Name] = metav1.NewTime(c.Now()).Rfc3339Copy()
			return pdb, nil
		},
	})
	return budget, false, err
}

// isFree: evicting what is broken already costs nothing, if the budget says so or enough others are healthy.
func isFree(pdb *policyv1.PodDisruptionBudget, pod *corev1.Pod) bool {
	if healthy(pod) {
		return false
	}
	if p := pdb.Spec.UnhealthyPodEvictionPolicy; p != nil && *p == policyv1.AlwaysAllow {
		return true
	}
	return pdb.Status.CurrentHealthy >= pdb.Status.DesiredHealthy && pdb.Status.DesiredHealthy > 0
}

// mayDisrupt is upstream's answer where the budget allows no disruption now.
func mayDisrupt(pdb *policyv1.PodDisruptionBudget) error {
	budget := "The disruption budget " + pdb.Name
	switch s := pdb.Status; {
	case s.ObservedGeneration < pdb.Generation:
		return beingProcessed(pdb.Name)
	case s.DisruptionsAllowed < 0:
		return badBudget(pdb, "pdb disruptions allowed is negative", "pdb disruptions allowed is negative")
	case len(s.DisruptedPods) > maxDisrupted:
		return badBudget(pdb, "DisruptedPods map too big - too many evictions not confirmed by PDB controller", "too many pending evictions not confirmed by PDB controller")
	case s.DisruptionsAllowed > 0:
		return nil
	}
	condition := meta.FindStatusCondition(pdb.Status.Conditions, policyv1.DisruptionAllowedCondition)
	told := condition != nil && condition.Status == metav1.ConditionFalse && condition.Message != ""
	switch s := pdb.Status; {
	// What was counted is not to be trusted then.
	case told && condition.Reason == policyv1.SyncFailedReason:
		return tooManyDisruptions(budget+" does not allow evicting pods currently because it failed sync: "+condition.Message, 0)
	case s.CurrentHealthy <= s.DesiredHealthy:
		return tooManyDisruptions(fmt.Sprintf("%s needs %d healthy pods and has %d currently", budget, s.DesiredHealthy, s.CurrentHealthy), 0)
	case told:
		return tooManyDisruptions(fmt.Sprintf("%s does not allow evicting pods currently (%s): %s", budget, condition.Reason, condition.Message), 0)
	}
	return tooManyDisruptions(budget+" does not allow evicting pods currently", 0)
}

func beingProcessed(budget string) error {
	return tooManyDisruptions("The disruption budget "+budget+" is still being processed by the server.", 10)
}

// tooManyDisruptions is upstream's 429.
func tooManyDisruptions(why string, retry int) error {
	return because(apierrors.NewTooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", retry), why)
}

// badBudget is upstream's 403 for a status that no controller has written.
func badBudget(pdb *policyv1.PodDisruptionBudget, short, why string) error {
	err := apierrors.NewForbidden(policyv1.Resource("poddisruptionbudget"), pdb.Name, errors.New(short))
	return because(err, fmt.Sprintf("The disruption budget %s does not allow evicting pods currently: %s", pdb.Name, why))
}

func because(err *apierrors.StatusError, why string) error {
	err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{Type: policyv1.DisruptionBudgetCause, Message: why})
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
