package catalog

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Annotations of pods that mean something to Kubernetes, some as predecessors of fields.

const (
	mirrorPod              = corev1.MirrorPodAnnotationKey
	appArmorPrefix         = corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix
	appArmorLocalPrefix    = corev1.DeprecatedAppArmorBetaProfileNamePrefix
	appArmorDefault        = corev1.DeprecatedAppArmorBetaProfileRuntimeDefault
	appArmorUnconfined     = corev1.DeprecatedAppArmorBetaProfileNameUnconfined
	seccompOfPod           = corev1.SeccompPodAnnotationKey
	seccompContainerPrefix = corev1.SeccompContainerAnnotationKeyPrefix
)

func validatePodAnnotations(annotations map[string]string, s *corev1.PodSpec, at *field.Path) errorList {
	var errs errorList
	if v, ok := annotations[mirrorPod]; ok && s.NodeName == "" {
		errs = append(errs, field.Invalid(keyed(at, mirrorPod), v, "must set spec.nodeName if mirror pod annotation is set"))
	}
	if v := annotations[corev1.TolerationsAnnotationKey]; v != "" {
		errs = append(errs, validateAnnotatedTolerations(v, at)...)
	}
	if v, ok := annotations[corev1.PodDeletionCost]; ok && !isDeletionCost(v) {
		errs = append(errs, field.Invalid(keyed(at, corev1.PodDeletionCost), v, "must be a 32bit integer"))
	}
	for container, v := range sorted(ofContainers(annotations, seccompContainerPrefix)).each {
		errs = append(errs, validateSeccompName(v, child(at, seccompContainerPrefix+container))...)
	}
	if v, ok := annotations[seccompOfPod]; ok {
		errs = append(errs, validateSeccompName(v, child(at, seccompOfPod))...)
	}
	for container, v := range sorted(ofContainers(annotations, appArmorPrefix)).each {
		k := appArmorPrefix + container
		if !hasContainer(s, container) {
			errs = append(errs, field.Invalid(keyed(at, k), container, "container not found"))
		}
		if v != "" && v != appArmorDefault && v != appArmorUnconfined && !strings.HasPrefix(v, appArmorLocalPrefix) {
			errs = append(errs, field.Invalid(keyed(at, k), v, fmt.Sprintf("invalid AppArmor profile name: %q", v)))
		}
	}
	return errs
}

func validateAnnotatedTolerations(text string, at *field.Path) errorList {
	var tolerations []corev1.Toleration
	if err := json.Unmarshal([]byte(text), &tolerations); err != nil {
		return errorList{field.Invalid(at, corev1.TolerationsAnnotationKey, err.Error())}
	}
	return validateTolerations(tolerations, child(at, corev1.TolerationsAnnotationKey))
}

// isDeletionCost: a number of 32 bits as people write it, without plus sign and leading zeros.
func isDeletionCost(v string) bool {
	if v == "" || v[0] == '+' || v[0] == '0' && v != "0" {
		return false
	}
	_, err := strconv.ParseInt(v, 10, 32)
	return err == nil
}

func validateSeccompName(v string, at *field.Path) errorList {
	switch v {
	case corev1.SeccompProfileRuntimeDefault, corev1.DeprecatedSeccompProfileDockerDefault, corev1.SeccompProfileNameUnconfined:
		return nil
	}
	if local, ok := strings.CutPrefix(v, corev1.SeccompLocalhostProfileNamePrefix); ok {
		return descendingPath(at, local)
	}
	return errorList{field.Invalid(at, v, "must be a valid seccomp profile")}
}

// ofContainers are the annotations that begin with a prefix and end with a container's name, by that name; nil for none.
func ofContainers(annotations map[string]string, prefix string) map[string]string {
	var of map[string]string
	for k, v := range annotations {
		if name, ok := strings.CutPrefix(k, prefix); ok {
			if of == nil {
				of = map[string]string{}
			}
			of[name] = v
		}
	}
	return of
}

func hasContainer(s *corev1.PodSpec, name string) bool {
	for c := range allContainers(s, nowhere).each {
		if c.Name == name {
			return true
		}
	}
	return false
}

// validateAnnotationsAgree: where both an annotation and its field are given, they have to say the same.
func validateAnnotationsAgree(annotations map[string]string, s *corev1.PodSpec, path *field.Path) errorList {
	var errs errorList
	if c := s.SecurityContext; c != nil && c.SeccompProfile != nil {
		if v, ok := annotations[seccompOfPod]; ok {
			errs = append(errs, seccompAgrees(v, c.SeccompProfile, child(path, "securityContext", "seccompProfile"))...)
		}
	}
	seccomp, appArmor := ofContainers(annotations, seccompContainerPrefix), ofContainers(annotations, appArmorPrefix)
	for c, at := range allContainers(s, path).each {
		if c.SecurityContext == nil || c.SecurityContext.SeccompProfile == nil {
			continue
		}
		if v, ok := seccomp[c.Name]; ok {
			errs = append(errs, seccompAgrees(v, c.SecurityContext.SeccompProfile, child(at, "securityContext", "seccompProfile"))...)
		}
	}
	if s.OS != nil && s.OS.Name == corev1.Windows {
		return errs
	}
	for c, at := range allContainers(s, path).each {
		v, ok := appArmor[c.Name]
		if profile := appArmorOf(c, s); ok && profile != nil {
			errs = append(errs, appArmorAgrees(v, profile, child(at, "securityContext", "appArmorProfile"))...)
		}
	}
	return errs
}

// appArmorOf is the profile that holds for a container: its own, or else the pod's.
func appArmorOf(c *corev1.Container, s *corev1.PodSpec) *corev1.AppArmorProfile {
	if c.SecurityContext != nil && c.SecurityContext.AppArmorProfile != nil {
		return c.SecurityContext.AppArmorProfile
	}
	if s.SecurityContext != nil {
		return s.SecurityContext.AppArmorProfile
	}
	return nil
}

func seccompAgrees(v string, p *corev1.SeccompProfile, at *field.Path) errorList {
	local, isLocal := strings.CutPrefix(v, corev1.SeccompLocalhostProfileNamePrefix)
	agrees := true
	switch p.Type {
	case corev1.SeccompProfileTypeUnconfined:
		agrees = v == corev1.SeccompProfileNameUnconfined
	case corev1.SeccompProfileTypeRuntimeDefault:
		agrees = v == corev1.SeccompProfileRuntimeDefault || v == corev1.DeprecatedSeccompProfileDockerDefault
	case corev1.SeccompProfileTypeLocalhost:
		agrees = isLocal
		if isLocal && (p.LocalhostProfile == nil || *p.LocalhostProfile != local) {
			return errorList{field.Forbidden(child(at, "localhostProfile"), "seccomp profile in annotation and field must match")}
		}
	}
	if agrees {
		return nil
	}
	return errorList{field.Forbidden(child(at, "type"), "seccomp type in annotation and field must match")}
}

func appArmorAgrees(v string, p *corev1.AppArmorProfile, at *field.Path) errorList {
	local, isLocal := strings.CutPrefix(v, appArmorLocalPrefix)
	agrees := true
	switch p.Type {
	case corev1.AppArmorProfileTypeUnconfined:
		agrees = v == appArmorUnconfined
	case corev1.AppArmorProfileTypeRuntimeDefault:
		agrees = v == appArmorDefault
	case corev1.AppArmorProfileTypeLocalhost:
		agrees = isLocal
		if isLocal && (p.LocalhostProfile == nil || *p.LocalhostProfile != local) {
			return errorList{field.Forbidden(child(at, "localhostProfile"), "apparmor profile in annotation and field must match")}
		}
	}
	if agrees {
		return nil
	}
	return errorList{field.Forbidden(child(at, "type"), "apparmor type in annotation and field must match")}
}

// appArmorField is the field that says the same as an annotation, nil where none does.
func appArmorField(v string) *corev1.AppArmorProfile {
	local, isLocal := strings.CutPrefix(v, appArmorLocalPrefix)
	switch {
	case v == appArmorUnconfined:
		return &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined}
	case v == appArmorDefault:
		return &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeRuntimeDefault}
	case isLocal && local != "":
		return &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeLocalhost, LocalhostProfile: &local}
	}
	return nil
}

// validatePodAnnotationChange: what the kubelet and AppArmor went by at the pod's start stays.
func validatePodAnnotationChange(p, old *corev1.Pod, at *field.Path) errorList {
	var errs errorList
	for k, v := range sorted(old.Annotations).each {
		if now, ok := p.Annotations[k]; ok && now == v {
			continue
		}
		if strings.HasPrefix(k, appArmorPrefix) {
			errs = append(errs, field.Forbidden(keyed(at, k), "may not remove or update AppArmor annotations"))
		}
		if k == mirrorPod {
			errs = append(errs, field.Forbidden(keyed(at, k), "may not remove or update mirror pod annotation"))
		}
	}
	for k := range sorted(p.Annotations).each {
		if _, ok := old.Annotations[k]; ok {
			continue
		}
		if strings.HasPrefix(k, appArmorPrefix) {
			errs = append(errs, field.Forbidden(keyed(at, k), "may not add AppArmor annotations"))
		}
		if k == mirrorPod {
			errs = append(errs, field.Forbidden(keyed(at, k), "may not add mirror pod annotation"))
		}
	}
	return append(errs, validatePodAnnotations(p.Annotations, &p.Spec, at)...)
}
