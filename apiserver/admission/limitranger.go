package admission

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	helpers "k8s.io/component-helpers/resource"
)

// LimitRanges finds the limit ranges of a namespace.
type LimitRanges interface {
	LimitRanges(namespace string) []*corev1.LimitRange
}

// LimitRanger: containers that do not say how much they need get what the namespace's LimitRanges give by default, and none
// gets less or more than these allow; the same for what pods add up to and for claims.
// Source: k8s.io/kubernetes/plugin/pkg/admission/limitranger.
type LimitRanger struct{ Ranges LimitRanges }

// Name returns LimitRanger.
func (LimitRanger) Name() string { return "LimitRanger" }

const limitRangerAnnotation = "kubernetes.io/limit-ranger"

// Mutate gives a new pod's containers what they did not ask for.
func (p LimitRanger) Mutate(_ context.Context, a *Attributes) error {
	pod, ok := a.Object.(*corev1.Pod)
	if !ok || a.Operation != Create || !a.Is(schema.GroupResource{Resource: "pods"}) {
		return nil
	}
	for _, r := range p.Ranges.LimitRanges(a.Namespace) {
		requests, limits := corev1.ResourceList{}, corev1.ResourceList{}
		for _, l := range r.Spec.Limits {
			if l.Type == corev1.LimitTypeContainer {
				maps.Copy(requests, l.DefaultRequest)
				maps.Copy(limits, l.Default)
			}
		}
		var given []string
		give := func(containers []corev1.Container, what string) {
			for i := range containers {
				c := &containers[i]
				for _, part := range []struct {
					word     string
					to       *corev1.ResourceList
					defaults corev1.ResourceList
				}{{"request", &c.Resources.Requests, requests}, {"limit", &c.Resources.Limits, limits}} {
					if names := fill(part.to, part.defaults); len(names) > 0 {
						given = append(given, fmt.Sprintf("%s %s for %s %s", strings.Join(names, ", "), part.word, what, c.Name))
					}
				}
			}
		}
		give(pod.Spec.Containers, "container")
		give(pod.Spec.InitContainers, "init container")
		if len(given) == 0 {
			continue
		}
		if pod.Annotations == nil {
			pod.Annotations = map[string]string{}
		}
		pod.Annotations[limitRangerAnnotation] = "LimitRanger plugin set: " + strings.Join(given, "; ")
		a.Changed("resources: %s", strings.Join(given, "; "))
	}
	return nil
}

// fill adds to a list what it lacks, and returns the names of that.
func fill(list *corev1.ResourceList, defaults corev1.ResourceList) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(defaults)) {
		if _, ok := (*list)[name]; ok {
			continue
		}
		if *list == nil {
			*list = corev1.ResourceList{}
		}
		(*list)[name] = defaults[name].DeepCopy()
		names = append(names, string(name))
	}
	return names
}

// Validate refuses what is out of range.
func (p LimitRanger) Validate(_ context.Context, a *Attributes) error {
	if a.Operation != Create && a.Operation != Update || a.Namespace == "" {
		return nil
	}
	var errs []error
	switch o := a.Object.(type) {
	case *corev1.Pod:
		if a.Operation == Create && a.Subresource != "" || a.Operation == Update && a.Subresource != "resize" {
			return nil
		}
		for _, r := range p.Ranges.LimitRanges(a.Namespace) {
			errs = append(errs, podOutOfRange(r, o)...)
		}
	case *corev1.PersistentVolumeClaim:
		if a.Subresource != "" {
			return nil
		}
		for _, r := range p.Ranges.LimitRanges(a.Namespace) {
			errs = append(errs, claimOutOfRange(r, o)...)
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return Forbidden(a, utilerrors.NewAggregate(errs))
}

func podOutOfRange(r *corev1.LimitRange, pod *corev1.Pod) []error {
	var errs []error
	for _, l := range r.Spec.Limits {
		switch l.Type {
		case corev1.LimitTypeContainer:
			for _, c := range slices.Concat(pod.Spec.Containers, pod.Spec.InitContainers) {
				errs = append(errs, outOfRange(l, c.Resources.Requests, c.Resources.Limits)...)
			}
		case corev1.LimitTypePod:
			errs = append(errs, outOfRange(l, helpers.PodRequests(pod, helpers.PodResourcesOptions{}), helpers.PodLimits(pod, helpers.PodResourcesOptions{}))...)
		}
	}
	return errs
}

func claimOutOfRange(r *corev1.LimitRange, claim *corev1.PersistentVolumeClaim) []error {
	var errs []error
	for _, l := range r.Spec.Limits {
		if l.Type != corev1.LimitTypePersistentVolumeClaim {
			continue
		}
		requests := claim.Spec.Resources.Requests
		for _, name := range slices.Sorted(maps.Keys(l.Min)) {
			errs = append(errs, tooLittle(l.Type, name, l.Min[name], requests, nil))
		}
		for _, name := range slices.Sorted(maps.Keys(l.Max)) {
			limit, what := l.Max[name], most(l.Type, name, l.Max[name])
			if request, ok := requests[name]; !ok {
				errs = append(errs, fmt.Errorf("%s.  No request is specified", what))
			} else if request.Cmp(limit) > 0 {
				errs = append(errs, fmt.Errorf("%s, but request is %s", what, request.String()))
			}
		}
	}
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

func outOfRange(l corev1.LimitRangeItem, requests, limits corev1.ResourceList) []error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(l.Min)) {
		errs = append(errs, tooLittle(l.Type, name, l.Min[name], requests, limits))
	}
	for _, name := range slices.Sorted(maps.Keys(l.Max)) {
		errs = append(errs, tooMuch(l.Type, name, l.Max[name], requests, limits))
	}
	for _, name := range slices.Sorted(maps.Keys(l.MaxLimitRequestRatio)) {
		errs = append(errs, tooFarApart(l.Type, name, l.MaxLimitRequestRatio[name], requests, limits))
	}
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

func most(kind corev1.LimitType, name corev1.ResourceName, limit resource.Quantity) string {
	return fmt.Sprintf("maximum %s usage per %s is %s", name, kind, limit.String())
}

func tooLittle(kind corev1.LimitType, name corev1.ResourceName, least resource.Quantity, requests, limits corev1.ResourceList) error {
	what := fmt.Sprintf("minimum %s usage per %s is %s", name, kind, least.String())
	request, requested := requests[name]
	limit, limited := limits[name]
	switch {
	case !requested:
		return fmt.Errorf("%s.  No request is specified", what)
	case request.Cmp(least) < 0:
		return fmt.Errorf("%s, but request is %s", what, request.String())
	case limited && limit.Cmp(least) < 0:
		return fmt.Errorf("%s, but limit is %s", what, limit.String())
	}
	return nil
}

func tooMuch(kind corev1.LimitType, name corev1.ResourceName, greatest resource.Quantity, requests, limits corev1.ResourceList) error {
	what := most(kind, name, greatest)
	request, requested := requests[name]
	limit, limited := limits[name]
	switch {
	case !limited:
		return fmt.Errorf("%s.  No limit is specified", what)
	case limit.Cmp(greatest) > 0:
		return fmt.Errorf("%s, but limit is %s", what, limit.String())
	case requested && request.Cmp(greatest) > 0:
		return fmt.Errorf("%s, but request is %s", what, request.String())
	}
	return nil
}

func tooFarApart(kind corev1.LimitType, name corev1.ResourceName, ratio resource.Quantity, requests, limits corev1.ResourceList) error {
	what := fmt.Sprintf("%s max limit to request ratio per %s is %s", name, kind, ratio.String())
	request, limit := requests[name], limits[name]
	switch {
	case request.IsZero():
		return fmt.Errorf("%s, but no request is specified or request is 0", what)
	case limit.IsZero():
		return fmt.Errorf("%s, but no limit is specified or limit is 0", what)
	}
	if given := limit.AsApproximateFloat64() / request.AsApproximateFloat64(); given > ratio.AsApproximateFloat64() {
		return fmt.Errorf("%s, but provided ratio is %f", what, given)
	}
	return nil
}
