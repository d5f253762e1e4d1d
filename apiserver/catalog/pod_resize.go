package catalog

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Through pods/resize containers get more or less cpu and memory while they run (KEP-1287).

// keepMetadata undoes what a subresource may not change of an object's metadata.
func keepMetadata(obj, old metav1.Object) { metav1.ResetObjectMetaForStatus(obj, old) }

// prepareResize lets an update change nothing but resources.
func prepareResize(p, old *corev1.Pod) {
	if len(p.Spec.Containers) == len(old.Spec.Containers) && len(p.Spec.InitContainers) == len(old.Spec.InitContainers) {
		keepMetadata(p, old)
		kept, resources := old.DeepCopy(), p.Spec.Resources
		containers := resized(p.Spec.Containers, kept.Spec.Containers)
		initContainers := resized(p.Spec.InitContainers, kept.Spec.InitContainers)
		p.Spec, p.Status = kept.Spec, kept.Status
		p.Spec.Resources, p.Spec.Containers, p.Spec.InitContainers = resources, containers, initContainers
	}
	keepPodResources(p, old)
	defaultPodResources(&p.Spec)
}

// keepPodResources: clients that do not know of a pod's own resources leave them out.
func keepPodResources(p, old *corev1.Pod) {
	if p.Spec.Resources == nil {
		p.Spec.Resources = old.Spec.Resources.DeepCopy()
	}
}

// resized are the old containers with the new ones' resources; the new ones where the names differ.
func resized(now, old []corev1.Container) []corev1.Container {
	if len(now) == 0 {
		return now
	}
	for i := range now {
		if now[i].Name != old[i].Name {
			return now
		}
	}
	for i := range now {
		old[i].Resources, old[i].ResizePolicy = now[i].Resources, now[i].ResizePolicy
	}
	return old
}

func validateResize(p, old *corev1.Pod, root *field.Path) errorList {
	if _, ok := old.Annotations[mirrorPod]; ok {
		return errorList{field.Forbidden(child(root, ""), "static pods cannot be resized")}
	}
	if old.Spec.OS != nil && old.Spec.OS.Name == corev1.Windows {
		return errorList{field.Forbidden(child(root, ""), "windows pods cannot be resized")}
	}
	spec := child(root, "spec")
	errs := validateAnyPod(p, root)
	was := old.Status.QOSClass
	if was == "" {
		was = qosClass(&old.Spec)
	}
	if was != qosClass(&p.Spec) {
		errs = append(errs, field.Invalid(spec, p.Status.QOSClass, "Pod QOS Class may not change as a result of resizing"))
	}
	if !nodeResizes(old) {
		errs = append(errs, field.Forbidden(spec, "Pod running on node without support for resize"))
	}
	rest := p.Spec.DeepCopy()
	if hasPodResources(old) || hasPodResources(p) {
		errs = append(errs, validatePodLevelResize(&p.Spec, &old.Spec, rest, spec)...)
	}
	if order := append(sameContainers("containers", p.Spec.Containers, old.Spec.Containers, spec),
		sameContainers("initContainers", p.Spec.InitContainers, old.Spec.InitContainers, spec)...); len(order) > 0 {
		return append(errs, order...)
	}
	for i := range old.Spec.InitContainers {
		errs = append(errs, nothingRemoved(&p.Spec.InitContainers[i].Resources, &old.Spec.InitContainers[i].Resources, "resource",
			child(nth(child(spec, "initContainers"), i), "resources"))...)
	}
	for i := range old.Spec.Containers {
		errs = append(errs, nothingRemoved(&p.Spec.Containers[i].Resources, &old.Spec.Containers[i].Resources, "resource",
			child(nth(child(spec, "containers"), i), "resources"))...)
	}
	for i := range rest.Containers {
		c, was := &rest.Containers[i], &old.Spec.Containers[i]
		undoResize(&c.Resources, &was.Resources)
		if !equality.Semantic.DeepEqual(c, was) {
			errs = append(errs, field.Forbidden(spec, "only cpu and memory resources are mutable"))
		}
	}
	errs = append(errs, validateInitResize(rest.InitContainers, old.Spec.InitContainers, child(spec, "initContainers"))...)
	if !equality.Semantic.DeepEqual(p.Spec.Volumes, old.Spec.Volumes) {
		errs = append(errs, field.Forbidden(child(spec, "volumes"), "volumes are immutable on resize when InPlacePodVerticalScalingMemoryBackedVolumes feature gate is disabled"))
	}
	if len(errs) == 0 && !equality.Semantic.DeepEqual(*rest, old.Spec) {
		errs = append(errs, field.Forbidden(spec, "only cpu and memory resources are mutable"))
	}
	return errs
}

func validateInitResize(rest, old []corev1.Container, path *field.Path) errorList {
	var errs errorList
	for i := range rest {
		c, was, at := &rest[i], &old[i], nth(path, i)
		changed := !equality.Semantic.DeepEqual(c, was)
		undoResize(&c.Resources, &was.Resources)
		if !equality.Semantic.DeepEqual(c, was) {
			errs = append(errs, field.Forbidden(at, "only cpu and memory resources for init or sidecar containers are mutable"))
		}
		if !changed || isSidecar(c) {
			continue
		}
		for _, p := range c.ResizePolicy {
			if p.RestartPolicy == corev1.RestartContainer {
				errs = append(errs, field.Forbidden(at, "non-sidecar init containers with a resize policy of RestartContainer cannot be resized"))
			}
		}
	}
	return errs
}

// nodeResizes tells whether the kubelet reports resources of running containers, as those do that can resize.
func nodeResizes(p *corev1.Pod) bool {
	for _, c := range p.Status.ContainerStatuses {
		if c.State.Running != nil {
			return c.Resources != nil
		}
	}
	return true
}

func hasPodResources(p *corev1.Pod) bool {
	return p.Spec.Resources != nil && len(p.Spec.Resources.Requests)+len(p.Spec.Resources.Limits) > 0
}

func validatePodLevelResize(now, was, rest *corev1.PodSpec, spec *field.Path) errorList {
	at := child(spec, "resources")
	if was.Resources != nil && now.Resources == nil {
		return errorList{field.Forbidden(at, "pod-level resources cannot be removed")}
	}
	var errs errorList
	before := &corev1.ResourceRequirements{}
	if was.Resources != nil {
		errs = append(errs, nothingRemoved(now.Resources, was.Resources, "pod-level resource", at)...)
		before = was.Resources
	}
	if r := rest.Resources; r != nil {
		undoResize(r, before)
		if was.Resources == nil && len(r.Requests)+len(r.Limits)+len(r.Claims) == 0 {
			rest.Resources = nil
		}
	}
	if !equality.Semantic.DeepEqual(rest.Resources, was.Resources) {
		errs = append(errs, field.Forbidden(spec, "only cpu and memory resources are mutable at pod-level"))
	}
	return errs
}

// nothingRemoved: amounts can change, but what was requested or limited stays so.
func nothingRemoved(now, was *corev1.ResourceRequirements, what string, at *field.Path) errorList {
	var errs errorList
	removed := func(now, was corev1.ResourceList) bool {
		for name := range was {
			if _, ok := now[name]; !ok {
				return true
			}
		}
		return false
	}
	if removed(now.Requests, was.Requests) {
		errs = append(errs, field.Forbidden(child(at, "requests"), what+" requests cannot be removed"))
	}
	if removed(now.Limits, was.Limits) {
		errs = append(errs, field.Forbidden(child(at, "limits"), what+" limits cannot be removed"))
	}
	return errs
}

func sameContainers(list string, now, was []corev1.Container, spec *field.Path) errorList {
	if len(now) != len(was) {
		return errorList{field.Forbidden(child(spec, list), list+" may not be added or removed on resize")}
	}
	var errs errorList
	for i := range was {
		if now[i].Name != was[i].Name {
			errs = append(errs, field.Forbidden(child(nth(child(spec, list), i), "name"), list+" may not be renamed or reordered on resize"))
		}
	}
	return errs
}

// undoResize gives r the old amounts of cpu and memory.
func undoResize(r, was *corev1.ResourceRequirements) {
	undo := func(l *corev1.ResourceList, was corev1.ResourceList) {
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			delete(*l, name)
			if q, ok := was[name]; ok {
				setAmount(l, name, q)
			}
		}
	}
	undo(&r.Requests, was.Requests)
	undo(&r.Limits, was.Limits)
}
