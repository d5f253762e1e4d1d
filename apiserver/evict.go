package apiserver

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	policyv1beta1 "k8s.io/api/policy/v1beta1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"coracle/apiserver/wire"
)

// evict deletes a pod unless a PodDisruptionBudget stands against it.
// Source: k8s.io/kubernetes/pkg/registry/core/pod/storage/eviction.go.
func (c *call) evict() error {
	f, e, opts, err := c.decodeEviction()
	if err != nil {
		return err
	}
	if err := c.matchNamespace(e); err != nil {
		return err
	}
	a := c.posted(e, opts)
	if err := c.Admission.Mutate(c.r.Context(), a); err != nil {
		return err
	}
	del, err := c.evictionOptions(e, opts)
	if err != nil {
		return err
	}
	if err := c.Admission.Validate(c.r.Context(), a); err != nil {
		return err
	}
	if err := c.disrupt(del); err != nil {
		return err
	}
	c.send(c.w, f, http.StatusCreated, &metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusSuccess, Code: http.StatusCreated,
	})
	return nil
}

// disrupt deletes the pod if it disturbs nobody by going, or by the budget that it counts for. A pod that may go because it is not
// ready, or not started, may go as it was when that was seen: of one that is ready in the meantime it is asked again.
func (c *call) disrupt(asked *metav1.DeleteOptions) error {
	for attempt := 1; ; attempt++ {
		pod, err := c.pod(c.info.Name)
		if err != nil {
			return err
		}
		budget, asSeen := "", pod.Status.Phase == corev1.PodPending && pod.DeletionTimestamp == nil
		if countsForBudget(pod) {
			if budget, asSeen, err = c.spendBudget(pod, dryRun(asked.DryRun)); err != nil {
				return err
			}
		}
		named := asked.Preconditions != nil && asked.Preconditions.ResourceVersion != nil
		opts := asked.DeepCopy()
		if asSeen && (!named || budget != "") {
			if opts.Preconditions == nil {
				opts.Preconditions = &metav1.Preconditions{}
			}
			opts.Preconditions.ResourceVersion = new(pod.ResourceVersion)
		}
		err = c.markAndRemove(opts)
		switch {
		case !apierrors.IsConflict(err) || named || !asSeen:
			return err
		case budget != "":
			return beingProcessed(budget)
		case attempt == evictionAttempts:
			return err
		}
	}
}

// evictionAttempts is how often an eviction is tried, as upstream.
const evictionAttempts = 20

func (c *call) markAndRemove(opts *metav1.DeleteOptions) error {
	if len(opts.DryRun) == 0 {
		if err := c.markDisrupted(opts); err != nil {
			return err
		}
	}
	if err := validDeletion(opts); err != nil {
		return err
	}
	_, _, _, err := c.admitted().remove(c.info.Namespace, c.info.Name, opts)
	return err
}

// decodeEviction reads an Eviction of either version: those who drain nodes sent the older one up to Kubernetes 1.21.
func (c *call) decodeEviction() (wire.Format, *policyv1.Eviction, *metav1.CreateOptions, error) {
	f, err := wire.Negotiate(c.r, wire.Offer{})
	if err != nil {
		return f, nil, nil, err
	}
	var opts metav1.CreateOptions
	if err := decodeOptions(c.r.URL.Query(), &opts); err != nil {
		return f, nil, nil, err
	}
	body, err := c.readBody()
	if err != nil {
		return f, nil, nil, err
	}
	e := &policyv1.Eviction{}
	if err := c.read(body, c.sub.Kind, e, opts.FieldValidation); err != nil {
		older := &policyv1beta1.Eviction{}
		if c.read(body, policyv1beta1.SchemeGroupVersion.WithKind("Eviction"), older, opts.FieldValidation) != nil {
			return f, nil, nil, err
		}
		*e = policyv1.Eviction(*older)
		e.SetGroupVersionKind(c.sub.Kind)
	}
	c.auditRequest(e, c.sub.Kind, false)
	return f, e, &opts, nil
}

// evictionOptions are how the pod is to be deleted: with dry run if the request is one.
func (c *call) evictionOptions(e *policyv1.Eviction, opts *metav1.CreateOptions) (*metav1.DeleteOptions, error) {
	if e.Name != c.info.Name {
		return nil, apierrors.NewBadRequest("name in URL does not match name in Eviction object")
	}
	del := e.DeleteOptions
	if del == nil {
		del = &metav1.DeleteOptions{}
	}
	if unread := del.IgnoreStoreReadErrorWithClusterBreakingPotential; unread != nil && *unread {
		return nil, apierrors.NewInvalid(c.sub.Kind.GroupKind(), c.info.Name, field.ErrorList{
			field.Invalid(field.NewPath("deleteOptions", "ignoreStoreReadErrorWithClusterBreakingPotential"), true,
				"can not be set for pod eviction, try after removing the option"),
		})
	}
	switch {
	case len(opts.DryRun) == 0, slices.Equal(opts.DryRun, del.DryRun):
	case len(del.DryRun) == 0:
		del.DryRun = opts.DryRun
	default:
		return nil, plain(fmt.Sprintf("Non-matching dry-run options in request and content: %v and %v", opts.DryRun, del.DryRun))
	}
	return del, nil
}

// countsForBudget: a pod that is over, not started or on its way out disturbs nobody by going.
func countsForBudget(pod *corev1.Pod) bool {
	switch pod.Status.Phase {
	case corev1.PodSucceeded, corev1.PodFailed, corev1.PodPending:
		return false
	}
	return pod.DeletionTimestamp == nil
}

// markDisrupted tells in the pod's status why it ends. A version that opts want the pod to be of is then the one that this has made.
func (c *call) markDisrupted(opts *metav1.DeleteOptions) error {
	on := c.admitted()
	on.sub, _ = c.kind.Subresource("status")
	marked, _, err := on.applyChange(change{
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
			i := slices.IndexFunc(pod.Status.Conditions, func(p corev1.PodCondition) bool { return p.Type == target.Type })
			if i < 0 {
				pod.Status.Conditions = append(pod.Status.Conditions, target)
				return pod, nil
			}
			if before := pod.Status.Conditions[i]; before.Status == target.Status {
				target.LastTransitionTime = before.LastTransitionTime
			}
			pod.Status.Conditions[i] = target
			return pod, nil
		},
	})
	if p := opts.Preconditions; err == nil && marked != nil && p != nil && p.ResourceVersion != nil {
		p.ResourceVersion = new(strconv.FormatInt(marked.Revision, 10))
	}
	return err
}

// cloneInfo is a request's info for another object.
func cloneInfo(info *apirequest.RequestInfo, namespace, name string) *apirequest.RequestInfo {
	out := *info
	out.Namespace, out.Name = namespace, name
	return &out
}
