package catalog

import (
	"fmt"
	"reflect"
	"slices"
	"unicode"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ContainerNames are those of all containers of a pod, in the order in which allContainers goes through them.
func ContainerNames(s *corev1.PodSpec) (names []string) {
	for c := range allContainers(s, nowhere).each {
		names = append(names, c.Name)
	}
	return names
}

// allContainers are the containers of a pod. To go through them is a method, which needs no inlining in order not to allocate: docs/adr/0006-size-before-speed.md.
func allContainers(s *corev1.PodSpec, path *field.Path) containersAt { return containersAt{s, path} }

type containersAt struct {
	spec *corev1.PodSpec
	path *field.Path
}

// each goes through those that run first, those that run, those that were added.
func (a containersAt) each(yield func(*corev1.Container, *field.Path) bool) {
	for i := range a.spec.InitContainers {
		if !yield(&a.spec.InitContainers[i], nth(child(a.path, "initContainers"), i)) {
			return
		}
	}
	for i := range a.spec.Containers {
		if !yield(&a.spec.Containers[i], nth(child(a.path, "containers"), i)) {
			return
		}
	}
	for i := range a.spec.EphemeralContainers {
		if !yield((*corev1.Container)(&a.spec.EphemeralContainers[i].EphemeralContainerCommon), nth(child(a.path, "ephemeralContainers"), i)) {
			return
		}
	}
}

// isSidecar tells whether an init container keeps running beside the others.
func isSidecar(c *corev1.Container) bool {
	return value(c.RestartPolicy) == corev1.ContainerRestartPolicyAlways
}

// containerCheck holds what the checks of containers need to know of their pod.
type containerCheck struct {
	spec    *corev1.PodSpec
	volumes volumesByName
	claims  claimNames // the resource claims that containers may use
}

func (k *containerCheck) containers(path *field.Path) errorList {
	containers := k.spec.Containers
	if len(containers) == 0 {
		return errorList{field.Required(path, "")}
	}
	var errs errorList
	names := map[string]bool{}
	for i := range containers {
		c, at := &containers[i], nth(path, i)
		errs = append(errs, k.common(c, at)...)
		if names[c.Name] {
			errs = append(errs, field.Duplicate(child(at, "name"), c.Name))
		}
		names[c.Name] = true
		errs = append(errs, validateLifecycle(c.Lifecycle, k.spec.TerminationGracePeriodSeconds, child(at, "lifecycle"))...)
		errs = append(errs, validateProbes(c, at)...)
		errs = append(errs, validateRestarts(c, at)...)
	}
	return append(errs, hostPortConflicts(containers, path)...)
}

func (k *containerCheck) initContainers(path *field.Path) errorList {
	if len(k.spec.InitContainers) == 0 {
		return nil
	}
	var errs errorList
	names := map[string]bool{}
	for i := range k.spec.Containers {
		names[k.spec.Containers[i].Name] = true
	}
	for i := range k.spec.InitContainers {
		c, at := &k.spec.InitContainers[i], nth(path, i)
		errs = append(errs, k.common(c, at)...)
		if c.RestartPolicy != nil || len(c.RestartPolicyRules) == 0 {
			errs = append(errs, validateRestarts(c, at)...)
		} else {
			errs = append(errs, field.Required(child(at, "restartPolicy"), "must specify restartPolicy when restart rules are used"))
		}
		if names[c.Name] {
			errs = append(errs, field.Duplicate(child(at, "name"), c.Name))
		} else if c.Name != "" {
			names[c.Name] = true
		}
		errs = append(errs, hostPortConflicts(k.spec.InitContainers[i:i+1], path)...)
		if isSidecar(c) {
			errs = append(errs, validateLifecycle(c.Lifecycle, k.spec.TerminationGracePeriodSeconds, child(at, "lifecycle"))...)
			errs = append(errs, validateProbes(c, at)...)
			continue
		}
		const text = "may not be set for init containers without restartPolicy=Always"
		if c.Lifecycle != nil {
			errs = append(errs, field.Forbidden(child(at, "lifecycle"), text))
		}
		if c.LivenessProbe != nil {
			errs = append(errs, field.Forbidden(child(at, "livenessProbe"), text))
		}
		if c.ReadinessProbe != nil {
			errs = append(errs, field.Forbidden(child(at, "readinessProbe"), text))
		}
		if c.StartupProbe != nil {
			errs = append(errs, field.Forbidden(child(at, "startupProbe"), text))
		}
		for j, p := range c.ResizePolicy {
			if p.RestartPolicy == corev1.RestartContainer {
				errs = append(errs, field.Invalid(child(nth(child(at, "resizePolicy"), j), "restartPolicy"), p.RestartPolicy,
					"must not be set to 'RestartContainer' for non-sidecar initContainers"))
			}
		}
	}
	return errs
}

func (k *containerCheck) ephemeralContainers(path *field.Path) errorList {
	if len(k.spec.EphemeralContainers) == 0 {
		return nil
	}
	var errs errorList
	targets, names := map[string]bool{}, map[string]bool{}
	for _, containers := range [][]corev1.Container{k.spec.Containers, k.spec.InitContainers} {
		for _, c := range containers {
			targets[c.Name], names[c.Name] = true, true
		}
	}
	for i := range k.spec.EphemeralContainers {
		e, at := &k.spec.EphemeralContainers[i], nth(path, i)
		c := (*corev1.Container)(&e.EphemeralContainerCommon)
		errs = append(errs, k.common(c, at)...)
		errs = append(errs, imagePadding(c, at)...)
		if names[e.Name] {
			errs = append(errs, field.Duplicate(child(at, "name"), e.Name))
		}
		names[e.Name] = true
		if e.TargetContainerName != "" && !targets[e.TargetContainerName] {
			errs = append(errs, field.NotFound(child(at, "targetContainerName"), e.TargetContainerName))
		}
		errs = append(errs, onlyFields(e.EphemeralContainerCommon, at, "cannot be set for an Ephemeral Container",
			"Name", "Image", "Command", "Args", "WorkingDir", "EnvFrom", "Env", "VolumeMounts", "VolumeDevices",
			"TerminationMessagePath", "TerminationMessagePolicy", "ImagePullPolicy", "SecurityContext", "Stdin", "StdinOnce", "TTY")...)
		for j, m := range e.VolumeMounts {
			mount := nth(child(at, "volumeMounts"), j)
			if m.SubPath != "" {
				errs = append(errs, field.Forbidden(child(mount, "subPath"), "cannot be set for an Ephemeral Container"))
			}
			if m.SubPathExpr != "" {
				errs = append(errs, field.Forbidden(child(mount, "subPathExpr"), "cannot be set for an Ephemeral Container"))
			}
		}
	}
	return errs
}

// onlyFields refuses all fields of a struct that are set and not among those allowed.
func onlyFields(v any, at *field.Path, text string, allowed ...string) errorList {
	var errs errorList
	s := reflect.ValueOf(v)
	for i := range s.NumField() {
		name := s.Type().Field(i).Name
		if slices.Contains(allowed, name) || s.Field(i).IsZero() {
			continue
		}
		first, n := utf8.DecodeRuneInString(name)
		errs = append(errs, field.Forbidden(child(at, string(unicode.ToLower(first))+name[n:]), text))
	}
	return errs
}

// common checks what containers of all three sorts have.
func (k *containerCheck) common(c *corev1.Container, at *field.Path) errorList {
	errs := append(neededLabel(child(at, "name"), c.Name), needed(child(at, "image"), c.Image)...)
	errs = append(errs, neededOneOf(child(at, "terminationMessagePolicy"), c.TerminationMessagePolicy,
		corev1.TerminationMessageReadFile, corev1.TerminationMessageFallbackToLogsOnError)...)
	errs = append(errs, validateContainerPorts(c.Ports, child(at, "ports"))...)
	errs = append(errs, validateEnv(c.Env, child(at, "env"))...)
	errs = append(errs, validateEnvFrom(c.EnvFrom, child(at, "envFrom"))...)
	errs = append(errs, validateMounts(c, k.volumes, child(at, "volumeMounts"))...)
	errs = append(errs, validateDevices(c, k.volumes, child(at, "volumeDevices"))...)
	errs = append(errs, validatePullPolicy(c.ImagePullPolicy, child(at, "imagePullPolicy"))...)
	errs = append(errs, validateRequirements(&c.Resources, containerResource, k.claims, child(at, "resources"))...)
	errs = append(errs, validateResizePolicy(c.ResizePolicy, k.spec.RestartPolicy, child(at, "resizePolicy"))...)
	return append(errs, validateSecurityContext(c.SecurityContext, k.spec, child(at, "securityContext"))...)
}

// imagePadding is checked of pods alone: what made it into templates long ago may stay there.
func imagePadding(c *corev1.Container, at *field.Path) errorList {
	if padded(c.Image) {
		return errorList{field.Invalid(child(at, "image"), c.Image, "must not have leading or trailing whitespace")}
	}
	return nil
}

func validateContainerPorts(ports []corev1.ContainerPort, path *field.Path) errorList {
	var errs errorList
	names := map[string]bool{}
	for i, p := range ports {
		at := nth(path, i)
		if p.Name != "" {
			complaints := isPortName(p.Name)
			errs = append(errs, invalidEach(child(at, "name"), p.Name, complaints)...)
			switch {
			case len(complaints) > 0:
			case names[p.Name]:
				errs = append(errs, field.Duplicate(child(at, "name"), p.Name))
			default:
				names[p.Name] = true
			}
		}
		if p.ContainerPort == 0 {
			errs = append(errs, field.Required(child(at, "containerPort"), ""))
		} else {
			errs = append(errs, portNumber(child(at, "containerPort"), p.ContainerPort)...)
		}
		if p.HostPort != 0 {
			errs = append(errs, portNumber(child(at, "hostPort"), p.HostPort)...)
		}
		errs = append(errs, validateProtocol(p.Protocol, child(at, "protocol"))...)
	}
	return errs
}

func validateProtocol(p corev1.Protocol, at *field.Path) errorList {
	return neededOneOf(at, p, corev1.ProtocolSCTP, corev1.ProtocolTCP, corev1.ProtocolUDP)
}

// hostPortConflicts: only one of a pod's containers can have a port of the node.
func hostPortConflicts(containers []corev1.Container, path *field.Path) errorList {
	var errs errorList
	taken := map[string]bool{}
	for i, c := range containers {
		for j, p := range c.Ports {
			if p.HostPort == 0 {
				continue
			}
			key := fmt.Sprintf("%s/%s/%d", p.Protocol, p.HostIP, p.HostPort)
			if taken[key] {
				errs = append(errs, field.Duplicate(child(nth(child(nth(path, i), "ports"), j), "hostPort"), key))
			}
			taken[key] = true
		}
	}
	return errs
}

func validatePullPolicy(p corev1.PullPolicy, at *field.Path) errorList {
	return neededOneOf(at, p, corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever)
}

// validateRestarts checks what happens after a container has ended.
func validateRestarts(c *corev1.Container, at *field.Path) errorList {
	var errs errorList
	if c.RestartPolicy != nil {
		errs = append(errs, oneOf(child(at, "restartPolicy"), *c.RestartPolicy,
			corev1.ContainerRestartPolicyAlways, corev1.ContainerRestartPolicyNever, corev1.ContainerRestartPolicyOnFailure)...)
	} else if len(c.RestartPolicyRules) > 0 {
		errs = append(errs, field.Required(child(at, "restartPolicy"), "must specify restartPolicy when restart rules are used"))
	}
	if n := len(c.RestartPolicyRules); n > 20 {
		errs = append(errs, field.TooMany(child(at, "restartPolicyRules"), n, 20))
	}
	for i, r := range c.RestartPolicyRules {
		rule := nth(child(at, "restartPolicyRules"), i)
		errs = append(errs, oneOf(child(rule, "action"), r.Action,
			corev1.ContainerRestartRuleActionRestart, corev1.ContainerRestartRuleActionRestartAllContainers)...)
		if r.ExitCodes == nil {
			errs = append(errs, field.Required(child(rule, "exitCodes"), "must be specified"))
			continue
		}
		errs = append(errs, oneOf(child(rule, "exitCodes", "operator"), r.ExitCodes.Operator,
			corev1.ContainerRestartRuleOnExitCodesOpIn, corev1.ContainerRestartRuleOnExitCodesOpNotIn)...)
		if n := len(r.ExitCodes.Values); n > 255 {
			errs = append(errs, field.TooMany(child(rule, "exitCodes", "values"), n, 255))
		}
	}
	return errs
}

// validateResizePolicy checks whether a container must restart when it gets other resources.
func validateResizePolicy(policies []corev1.ContainerResizePolicy, podRestarts corev1.RestartPolicy, at *field.Path) errorList {
	var errs errorList
	names := map[corev1.ResourceName]bool{}
	for i, p := range policies {
		if names[p.ResourceName] {
			errs = append(errs, field.Duplicate(nth(at, i), p.ResourceName))
		}
		names[p.ResourceName] = true
		errs = append(errs, neededOneOf(at, p.ResourceName, corev1.ResourceCPU, corev1.ResourceMemory)...)
		errs = append(errs, neededOneOf(at, p.RestartPolicy, corev1.NotRequired, corev1.RestartContainer)...)
		if podRestarts == corev1.RestartPolicyNever && p.RestartPolicy != corev1.NotRequired {
			errs = append(errs, field.Invalid(at, p.RestartPolicy, "must be 'NotRequired' when pod `restartPolicy` is 'Never'"))
		}
	}
	return errs
}
