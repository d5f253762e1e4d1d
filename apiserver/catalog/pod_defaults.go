package catalog

import (
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Source of all defaults: k8s.io/kubernetes/pkg/apis/core/v1/defaults.go, and the +default tags of k8s.io/api/core/v1.

func defaultPod(p *corev1.Pod) {
	s := &p.Spec
	if g := s.TerminationGracePeriodSeconds; g != nil && *g < 0 {
		s.TerminationGracePeriodSeconds = new(int64(1))
	}
	for _, containers := range [][]corev1.Container{s.Containers, s.InitContainers} {
		for i := range containers {
			requestLimits(&containers[i].Resources)
			if s.HostNetwork {
				defaultHostPorts(containers[i].Ports)
			}
		}
	}
	setDefault(&s.EnableServiceLinks, corev1.DefaultEnableServiceLinks)
	defaultPodSpec(s)
	dropOldInitContainers(p.Annotations)
	defaultPodStatus(&p.Status)
}

// requestLimits: what is limited and not requested is requested. Of limits that are empty the requests become so, which nothing but
// sentences about a change of them shows.
func requestLimits(r *corev1.ResourceRequirements) {
	if r.Limits != nil && r.Requests == nil {
		r.Requests = corev1.ResourceList{}
	}
	for name, q := range r.Limits {
		setAmount(&r.Requests, name, q)
	}
}

// setAmount adds what a list has no amount of.
func setAmount(l *corev1.ResourceList, name corev1.ResourceName, q resource.Quantity) {
	if _, ok := (*l)[name]; ok {
		return
	}
	if *l == nil {
		*l = corev1.ResourceList{}
	}
	(*l)[name] = q.DeepCopy()
}

func defaultHostPorts(ports []corev1.ContainerPort) {
	for i := range ports {
		setDefaultValue(&ports[i].HostPort, ports[i].ContainerPort)
	}
}

// dropOldInitContainers: before they had a field, init containers lived in annotations.
func dropOldInitContainers(annotations map[string]string) {
	delete(annotations, "pod.alpha.kubernetes.io/init-containers")
	delete(annotations, "pod.alpha.kubernetes.io/init-container-statuses")
	delete(annotations, "pod.beta.kubernetes.io/init-containers")
	delete(annotations, "pod.beta.kubernetes.io/init-container-statuses")
}

// defaultPodTemplateSpec defaults the pods-to-be of a workload. What depends on the node, such as host ports, and
// what is requested, waits until there is a pod.
func defaultPodTemplateSpec(t *corev1.PodTemplateSpec) {
	defaultPodSpec(&t.Spec)
	dropOldInitContainers(t.Annotations)
}

func defaultPodSpec(s *corev1.PodSpec) {
	dropDisabled(s)
	if s.ServiceAccountName == "" {
		s.ServiceAccountName = s.DeprecatedServiceAccount
	}
	s.DeprecatedServiceAccount = s.ServiceAccountName
	setDefaultValue(&s.DNSPolicy, corev1.DNSClusterFirst)
	setDefaultValue(&s.RestartPolicy, corev1.RestartPolicyAlways)
	setDefault(&s.SecurityContext, corev1.PodSecurityContext{})
	setDefault(&s.TerminationGracePeriodSeconds, corev1.DefaultTerminationGracePeriodSeconds)
	setDefaultValue(&s.SchedulerName, corev1.DefaultSchedulerName)
	for i := range s.Volumes {
		defaultVolumeSource(&s.Volumes[i].VolumeSource)
	}
	for c := range allContainers(s, nowhere).each {
		defaultContainer(c)
	}
	roundUp(s.Overhead)
	roundRequirements(s.Resources)
}

func defaultContainer(c *corev1.Container) {
	if c.ImagePullPolicy == "" {
		c.ImagePullPolicy = pullPolicyFor(c.Image)
	}
	setDefaultValue(&c.TerminationMessagePath, corev1.TerminationMessagePathDefault)
	setDefaultValue(&c.TerminationMessagePolicy, corev1.TerminationMessageReadFile)
	for i := range c.Ports {
		setDefaultValue(&c.Ports[i].Protocol, corev1.ProtocolTCP)
	}
	for i := range c.Env {
		from := c.Env[i].ValueFrom
		if from == nil {
			continue
		}
		if from.FieldRef != nil {
			setDefaultValue(&from.FieldRef.APIVersion, "v1")
		}
		if from.FileKeyRef != nil {
			setDefault(&from.FileKeyRef.Optional, false)
		}
	}
	roundRequirements(&c.Resources)
	for _, p := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
		if p != nil {
			defaultProbe(p)
		}
	}
	if c.Lifecycle != nil {
		for _, h := range []*corev1.LifecycleHandler{c.Lifecycle.PostStart, c.Lifecycle.PreStop} {
			if h != nil {
				defaultHTTPGet(h.HTTPGet)
			}
		}
	}
}

func defaultProbe(p *corev1.Probe) {
	setDefaultValue(&p.TimeoutSeconds, 1)
	setDefaultValue(&p.PeriodSeconds, 10)
	setDefaultValue(&p.SuccessThreshold, 1)
	setDefaultValue(&p.FailureThreshold, 3)
	defaultHTTPGet(p.HTTPGet)
	if p.GRPC != nil {
		setDefault(&p.GRPC.Service, "")
	}
}

func defaultHTTPGet(a *corev1.HTTPGetAction) {
	if a != nil {
		setDefaultValue(&a.Path, "/")
		setDefaultValue(&a.Scheme, corev1.URISchemeHTTP)
	}
}

// imageReference takes an image's name apart as the container registries' grammar has it.
// Source: github.com/distribution/reference.
var imageReference = regexp.MustCompile(`^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*(?::[0-9]+)?/|\[[a-fA-F0-9:]+\](?::[0-9]+)?/)?` +
	`[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*` +
	`(?::([\w][\w.-]{0,127}))?(@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[[:xdigit:]]{32,})?$`)

// pullPolicyFor: what may change under its name is pulled each time. That has no tag, or the tag latest.
func pullPolicyFor(image string) corev1.PullPolicy {
	name, _, _ := strings.Cut(image, "@")
	_, tag, tagged := strings.Cut(name[strings.LastIndexByte(name, '/')+1:], ":")
	switch {
	case tagged && tag != "latest":
		return corev1.PullIfNotPresent // whether or not it is in order
	case plain(image, "-._/", len(image)) && !isHexID(image):
		return corev1.PullAlways
	}
	m := imageReference.FindStringSubmatch(image)
	if m != nil && (m[1] == "latest" || m[1] == "" && m[2] == "") && !isHexID(image) {
		return corev1.PullAlways
	}
	return corev1.PullIfNotPresent
}

// isHexID: what looks like the number of an image is not taken for the name of one.
func isHexID(image string) bool {
	return len(image) == 64 && strings.Trim(image, "0123456789abcdef") == ""
}

// roundUp: a thousandth is the least that can be told apart.
func roundUp(l corev1.ResourceList) {
	for name, q := range l {
		q.RoundUp(resource.Milli)
		l[name] = q
	}
}

func roundRequirements(r *corev1.ResourceRequirements) {
	if r != nil {
		roundUp(r.Limits)
		roundUp(r.Requests)
	}
}

// defaultPodStatus keeps the one address of old clients, and the list of addresses, telling the same.
func defaultPodStatus(s *corev1.PodStatus) {
	switch {
	case s.PodIP == "" && len(s.PodIPs) > 0:
		s.PodIP = s.PodIPs[0].IP
	case s.PodIP != "" && (len(s.PodIPs) == 0 || s.PodIPs[0].IP != s.PodIP):
		s.PodIPs = []corev1.PodIP{{IP: s.PodIP}}
	}
	for _, containers := range [][]corev1.ContainerStatus{s.InitContainerStatuses, s.ContainerStatuses, s.EphemeralContainerStatuses} {
		for i := range containers {
			roundUp(containers[i].AllocatedResources)
			roundRequirements(containers[i].Resources)
		}
	}
	roundUp(s.AllocatedResources)
	roundRequirements(s.Resources)
}
