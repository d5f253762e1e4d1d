package namespace

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
)

// findings is what one pass over a namespace brought to light.
type findings struct {
	errs       []error
	discovery  error
	parsing    error
	content    []string // why something could not be deleted
	resources  map[schema.GroupVersionResource]int
	finalizers map[string]int
	onlyPods   bool // pods remain, and nothing else was looked at
}

func newFindings() *findings {
	return &findings{resources: map[schema.GroupVersionResource]int{}, finalizers: map[string]int{}}
}

func (f *findings) discoveryFailed(err error) {
	f.errs = append(f.errs, err)
	f.discovery = err
}

func (f *findings) parsingFailed(err error) {
	f.errs = append(f.errs, err)
	f.parsing = err
}

func (f *findings) contentFailed(gvr schema.GroupVersionResource, err error) {
	if gvr == podResource {
		f.errs = append(f.errs, fmt.Errorf("delete pods: %w", err))
	} else {
		f.errs = append(f.errs, err)
	}
	f.content = append(f.content, err.Error())
}

func (f *findings) remain(gvr schema.GroupVersionResource, items []metav1.PartialObjectMetadata) {
	if len(items) == 0 {
		return
	}
	f.resources[gvr] = len(items)
	for _, item := range items {
		for _, finalizer := range item.Finalizers {
			f.finalizers[finalizer]++
		}
	}
}

func (f *findings) anyRemain() bool { return len(f.resources) > 0 }

func (f *findings) err() error { return errors.Join(f.errs...) }

// conditions returns all five conditions of a namespace that is being deleted, in upstream's order and words.
func (f *findings) conditions() []v1.NamespaceCondition {
	conditions := []v1.NamespaceCondition{
		{Type: v1.NamespaceDeletionDiscoveryFailure, Reason: "ResourcesDiscovered", Message: "All resources successfully discovered"},
		{Type: v1.NamespaceDeletionGVParsingFailure, Reason: "ParsedGroupVersions", Message: "All legacy kube types successfully parsed"},
		{Type: v1.NamespaceDeletionContentFailure, Reason: "ContentDeleted", Message: "All content successfully deleted, may be waiting on finalization"},
		{Type: v1.NamespaceContentRemaining, Reason: "ContentRemoved", Message: "All content successfully removed"},
		{Type: v1.NamespaceFinalizersRemaining, Reason: "ContentHasNoFinalizers", Message: "All content-preserving finalizers finished"},
	}
	bad := func(i int, reason, format string, args ...any) {
		conditions[i].Status, conditions[i].Reason, conditions[i].Message = v1.ConditionTrue, reason, fmt.Sprintf(format, args...)
	}
	for i := range conditions {
		conditions[i].Status = v1.ConditionFalse
	}
	if f.discovery != nil {
		if groups, ok := errors.AsType[*discovery.ErrGroupDiscoveryFailed](f.discovery); ok {
			bad(0, "DiscoveryFailed", "Discovery failed for some groups, %d failing: %v", len(groups.Groups), f.discovery)
		} else {
			bad(0, "DiscoveryFailed", "%v", f.discovery)
		}
	}
	if f.parsing != nil {
		bad(1, "GroupVersionParsingFailed", "%v", f.parsing)
	}
	if len(f.content) > 0 {
		slices.Sort(f.content)
		bad(2, "ContentDeletionFailed", "Failed to delete all resource types, %d remaining: %v", len(f.content), strings.Join(f.content, ", "))
	}
	if f.onlyPods {
		return conditions // upstream counts the rest only once it has come to it
	}
	if len(f.resources) > 0 {
		var counts []string
		for gvr, n := range f.resources {
			counts = append(counts, fmt.Sprintf("%s.%s has %d resource instances", gvr.Resource, gvr.Group, n))
		}
		slices.Sort(counts)
		bad(3, "SomeResourcesRemain", "Some resources are remaining: %s", strings.Join(counts, ", "))
	}
	if len(f.finalizers) > 0 {
		var counts []string
		for finalizer, n := range f.finalizers {
			counts = append(counts, fmt.Sprintf("%s in %d resource instances", finalizer, n))
		}
		slices.Sort(counts)
		bad(4, "SomeFinalizersRemain", "Some content in the namespace has finalizers remaining: %s", strings.Join(counts, ", "))
	}
	return conditions
}

// setConditions puts conditions into status and reports whether that changed it. The time of the last transition
// changes with a condition's status only.
func setConditions(status *v1.NamespaceStatus, conditions []v1.NamespaceCondition) (changed bool) {
	for _, condition := range conditions {
		i := slices.IndexFunc(status.Conditions, func(c v1.NamespaceCondition) bool { return c.Type == condition.Type })
		if i < 0 {
			condition.LastTransitionTime = metav1.Now()
			status.Conditions = append(status.Conditions, condition)
			changed = true
			continue
		}
		old := &status.Conditions[i]
		if old.Status == condition.Status && old.Reason == condition.Reason && old.Message == condition.Message {
			continue
		}
		condition.LastTransitionTime = old.LastTransitionTime
		if old.Status != condition.Status {
			condition.LastTransitionTime = metav1.Now()
		}
		*old = condition
		changed = true
	}
	return changed
}
