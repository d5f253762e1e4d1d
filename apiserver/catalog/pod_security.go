package catalog

import (
	"fmt"
	"reflect"
	"regexp"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/component-helpers/node/util/sysctl"
)

// What a pod may do to the machine that it runs on. Privileged containers are allowed, as kubeadm sets up
// clusters (--allow-privileged); who may create them is for admission to say.

func validatePodSecurity(s *corev1.PodSpec, at *field.Path) errorList {
	c := s.SecurityContext
	if c == nil || reflect.ValueOf(c).Elem().IsZero() { // which each pod gets that has none
		return nil
	}
	errs := groupID(child(at, "fsGroup"), c.FSGroup)
	errs = append(errs, userID(child(at, "runAsUser"), c.RunAsUser)...)
	errs = append(errs, groupID(child(at, "runAsGroup"), c.RunAsGroup)...)
	for i := range c.SupplementalGroups {
		errs = append(errs, groupID(nth(child(at, "supplementalGroups"), i), &c.SupplementalGroups[i])...)
	}
	errs = append(errs, validateSysctls(s, child(at, "sysctls"))...)
	errs = append(errs, knownIfSet(child(at, "fsGroupChangePolicy"), c.FSGroupChangePolicy, corev1.FSGroupChangeAlways, corev1.FSGroupChangeOnRootMismatch)...)
	errs = append(errs, validateSeccomp(c.SeccompProfile, child(at, "seccompProfile"))...)
	errs = append(errs, validateWindowsOptions(c.WindowsOptions, child(at, "windowsOptions"))...)
	errs = append(errs, validateAppArmor(c.AppArmorProfile, child(at, "appArmorProfile"))...)
	errs = append(errs, knownIfSet(child(at, "supplementalGroupsPolicy"), c.SupplementalGroupsPolicy,
		corev1.SupplementalGroupsPolicyMerge, corev1.SupplementalGroupsPolicyStrict)...)
	return append(errs, knownIfSet(child(at, "seLinuxChangePolicy"), c.SELinuxChangePolicy,
		corev1.SELinuxChangePolicyMountOption, corev1.SELinuxChangePolicyRecursive)...)
}

func validateSecurityContext(c *corev1.SecurityContext, s *corev1.PodSpec, at *field.Path) errorList {
	if c == nil {
		return nil
	}
	errs := userID(child(at, "runAsUser"), c.RunAsUser)
	errs = append(errs, groupID(child(at, "runAsGroup"), c.RunAsGroup)...)
	errs = append(errs, knownIfSet(child(at, "procMount"), c.ProcMount, corev1.DefaultProcMount, corev1.UnmaskedProcMount)...)
	hostUsers := s.HostUsers == nil || *s.HostUsers
	if value(c.ProcMount) == corev1.UnmaskedProcMount && hostUsers {
		errs = append(errs, field.Invalid(child(at, "procMount"), *c.ProcMount, "`hostUsers` must be false to use `Unmasked`"))
	}
	errs = append(errs, validateSeccomp(c.SeccompProfile, child(at, "seccompProfile"))...)
	if c.AllowPrivilegeEscalation != nil && !*c.AllowPrivilegeEscalation {
		if value(c.Privileged) {
			errs = append(errs, field.Invalid(at, internalForm(c), "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"))
		}
		if c.Capabilities != nil {
			for _, added := range c.Capabilities.Add {
				if added == "CAP_SYS_ADMIN" {
					errs = append(errs, field.Invalid(at, internalForm(c), "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"))
				}
			}
		}
	}
	errs = append(errs, validateWindowsOptions(c.WindowsOptions, child(at, "windowsOptions"))...)
	return append(errs, validateAppArmor(c.AppArmorProfile, child(at, "appArmorProfile"))...)
}

func validateSeccomp(p *corev1.SeccompProfile, at *field.Path) errorList {
	if p == nil {
		return nil
	}
	var errs errorList
	if p.Type == "" {
		errs = append(errs, field.Required(child(at, "type"), "type is required when seccompProfile is set"))
	} else {
		errs = append(errs, oneOf(child(at, "type"), p.Type,
			corev1.SeccompProfileTypeLocalhost, corev1.SeccompProfileTypeRuntimeDefault, corev1.SeccompProfileTypeUnconfined)...)
	}
	local := child(at, "localhostProfile")
	switch {
	case p.Type == corev1.SeccompProfileTypeLocalhost && p.LocalhostProfile == nil:
		errs = append(errs, field.Required(local, "must be set when seccomp type is Localhost"))
	case p.Type == corev1.SeccompProfileTypeLocalhost:
		errs = append(errs, descendingPath(local, *p.LocalhostProfile)...)
	case p.LocalhostProfile != nil:
		errs = append(errs, field.Invalid(local, internalForm(p), "can only be set when seccomp type is Localhost"))
	}
	return errs
}

func validateAppArmor(p *corev1.AppArmorProfile, at *field.Path) errorList {
	if p == nil {
		return nil
	}
	local := child(at, "localhostProfile")
	switch p.Type {
	case corev1.AppArmorProfileTypeLocalhost:
		if p.LocalhostProfile == nil {
			return errorList{field.Required(local, "must be set when AppArmor type is Localhost")}
		}
		var errs errorList
		switch name := *p.LocalhostProfile; {
		case padded(name):
			errs = append(errs, field.Invalid(local, name, "must not be padded with whitespace"))
		case name == "":
			errs = append(errs, field.Required(local, "must be set when AppArmor type is Localhost"))
		}
		const longestPath = 4095
		if len(*p.LocalhostProfile) > longestPath {
			errs = append(errs, field.TooLong(local, "", longestPath))
		}
		return errs
	case corev1.AppArmorProfileTypeRuntimeDefault, corev1.AppArmorProfileTypeUnconfined:
		if p.LocalhostProfile != nil {
			return errorList{field.Invalid(local, *p.LocalhostProfile, "can only be set when AppArmor type is Localhost")}
		}
		return nil
	case "":
		return errorList{field.Required(child(at, "type"), "type is required when appArmorProfile is set")}
	}
	return oneOf(child(at, "type"), p.Type,
		corev1.AppArmorProfileTypeLocalhost, corev1.AppArmorProfileTypeRuntimeDefault, corev1.AppArmorProfileTypeUnconfined)
}

var sysctlName = regexp.MustCompile(`^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`)

// validateSysctls: a pod may set what its own namespaces keep apart from the node's, and nothing it shares.
func validateSysctls(s *corev1.PodSpec, path *field.Path) errorList {
	const longest = 253
	var errs errorList
	names := map[string]bool{}
	for i, c := range s.SecurityContext.Sysctls {
		at := child(nth(path, i), "name")
		switch {
		case c.Name == "":
			errs = append(errs, field.Required(at, ""))
		case len(c.Name) > longest || !sysctlName.MatchString(c.Name):
			errs = append(errs, field.Invalid(at, c.Name, fmt.Sprintf("must have at most %d characters and match regex %s", longest, sysctlName)))
		case names[c.Name]:
			errs = append(errs, field.Duplicate(at, c.Name))
		}
		names[c.Name] = true
		switch ns, _, _ := sysctl.GetNamespace(c.Name); {
		case s.HostNetwork && ns == sysctl.NetNamespace:
			errs = append(errs, field.Invalid(at, c.Name, "may not be specified when 'hostNetwork' is true"))
		case s.HostIPC && ns == sysctl.IPCNamespace:
			errs = append(errs, field.Invalid(at, c.Name, "may not be specified when 'hostIPC' is true"))
		}
	}
	return errs
}

// validateHostUsers: with users of its own a pod cannot also share what belongs to the node's users.
func validateHostUsers(s *corev1.PodSpec, at *field.Path) errorList {
	if s.HostUsers == nil || *s.HostUsers {
		return nil
	}
	const text = "when `hostUsers` is false"
	var errs errorList
	if s.HostNetwork {
		errs = append(errs, field.Forbidden(child(at, "hostNetwork"), text))
	}
	if s.HostPID {
		errs = append(errs, field.Forbidden(child(at, "HostPID"), text))
	}
	if s.HostIPC {
		errs = append(errs, field.Forbidden(child(at, "HostIPC"), text))
	}
	for c, path := range allContainers(s, at).each {
		if len(c.VolumeDevices) > 0 {
			errs = append(errs, field.Forbidden(child(path, "volumeDevices"), text))
		}
	}
	return errs
}
