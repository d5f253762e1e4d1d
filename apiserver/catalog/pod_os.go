package catalog

import (
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Pods are for Linux or for Windows, and neither knows all of the other's settings.

func validateOS(s *corev1.PodSpec, path *field.Path) errorList {
	if s.OS == nil {
		return nil
	}
	switch s.OS.Name {
	case corev1.Linux:
		return validateLinux(s, path)
	case corev1.Windows:
		return validateWindows(s, path)
	case "":
		return errorList{field.Required(child(path, "os", "name"), "")}
	}
	return oneOf(child(path, "os"), s.OS.Name, corev1.Linux, corev1.Windows)
}

func validateLinux(s *corev1.PodSpec, path *field.Path) errorList {
	const text = "windows options cannot be set for a linux pod"
	var errs errorList
	if c := s.SecurityContext; c != nil && c.WindowsOptions != nil {
		errs = append(errs, field.Forbidden(child(path, "securityContext", "windowsOptions"), text))
	}
	for c, at := range allContainers(s, path).each {
		if c.SecurityContext != nil && c.SecurityContext.WindowsOptions != nil {
			errs = append(errs, field.Forbidden(child(at, "securityContext", "windowsOptions"), text))
		}
	}
	return errs
}

func validateWindows(s *corev1.PodSpec, path *field.Path) errorList {
	var errs errorList
	forbid := func(at *field.Path, name string, set bool) {
		if set {
			errs = append(errs, field.Forbidden(child(at, name), "cannot be set for a windows pod"))
		}
	}
	if c, at := s.SecurityContext, child(path, "securityContext"); c != nil {
		forbid(at, "appArmorProfile", c.AppArmorProfile != nil)
		forbid(at, "seLinuxOptions", c.SELinuxOptions != nil)
		forbid(at, "seccompProfile", c.SeccompProfile != nil)
		forbid(at, "fsGroup", c.FSGroup != nil)
		forbid(at, "fsGroupChangePolicy", c.FSGroupChangePolicy != nil)
		forbid(at, "sysctls", len(c.Sysctls) > 0)
		forbid(at, "runAsUser", c.RunAsUser != nil)
		forbid(at, "runAsGroup", c.RunAsGroup != nil)
		forbid(at, "supplementalGroups", c.SupplementalGroups != nil)
		forbid(at, "supplementalGroupsPolicy", c.SupplementalGroupsPolicy != nil)
		forbid(at, "seLinuxChangePolicy", c.SELinuxChangePolicy != nil)
	}
	forbid(path, "hostUsers", s.HostUsers != nil)
	forbid(path, "hostPID", s.HostPID)
	forbid(path, "hostIPC", s.HostIPC)
	forbid(path, "shareProcessNamespace", s.ShareProcessNamespace != nil)
	for container, at := range allContainers(s, path).each {
		c, at := container.SecurityContext, child(at, "securityContext")
		if c == nil {
			continue
		}
		forbid(at, "appArmorProfile", c.AppArmorProfile != nil)
		forbid(at, "seLinuxOptions", c.SELinuxOptions != nil)
		forbid(at, "seccompProfile", c.SeccompProfile != nil)
		forbid(at, "capabilities", c.Capabilities != nil)
		forbid(at, "readOnlyRootFilesystem", c.ReadOnlyRootFilesystem != nil)
		forbid(at, "privileged", c.Privileged != nil)
		forbid(at, "allowPrivilegeEscalation", c.AllowPrivilegeEscalation != nil)
		forbid(at, "procMount", c.ProcMount != nil)
		forbid(at, "runAsUser", c.RunAsUser != nil)
		forbid(at, "runAsGroup", c.RunAsGroup != nil)
	}
	return errs
}

// validateHostProcess: containers that are processes of a Windows host are so all or none.
func validateHostProcess(s *corev1.PodSpec, path *field.Path) errorList {
	var errs errorList
	var pod *bool
	if c := s.SecurityContext; c != nil && c.WindowsOptions != nil {
		pod = c.WindowsOptions.HostProcess
	}
	all, hosted := 0, 0
	for c, at := range allContainers(s, path).each {
		var own *bool
		if c.SecurityContext != nil && c.SecurityContext.WindowsOptions != nil {
			own = c.SecurityContext.WindowsOptions.HostProcess
		}
		if pod != nil && own != nil && *pod != *own {
			errs = append(errs, field.Invalid(child(at, "securityContext", "windowsOptions", "hostProcess"), *own,
				fmt.Sprintf("pod hostProcess value must be identical if both are specified, was %v", *pod)))
		}
		all++
		if value(own) || own == nil && value(pod) {
			hosted++
		}
	}
	if hosted > 0 && hosted != all {
		errs = append(errs, field.Invalid(path, "", "If pod contains any hostProcess containers then all containers must be HostProcess containers"))
	}
	if hosted > 0 && !s.HostNetwork {
		errs = append(errs, field.Invalid(child(path, "hostNetwork"), s.HostNetwork, "hostNetwork must be true if pod contains any hostProcess containers"))
	}
	return errs
}

func validateWindowsOptions(o *corev1.WindowsSecurityContextOptions, at *field.Path) errorList {
	if o == nil {
		return nil
	}
	var errs errorList
	if n := o.GMSACredentialSpecName; n != nil {
		errs = append(errs, dnsSubdomain(child(at, "gmsaCredentialSpecName"), *n)...)
	}
	if spec, path := o.GMSACredentialSpec, child(at, "gmsaCredentialSpec"); spec != nil {
		switch {
		case *spec == "":
			errs = append(errs, field.Invalid(path, *spec, "gmsaCredentialSpec cannot be an empty string"))
		case len(*spec) > 64<<10:
			errs = append(errs, field.Invalid(path, *spec, "gmsaCredentialSpec size must be under 64 KiB"))
		}
	}
	if name := o.RunAsUserName; name != nil {
		errs = append(errs, invalidEach(child(at, "runAsUserName"), *name, badWindowsUser(*name))...)
	}
	return errs
}

var (
	controlCharacter = regexp.MustCompile(`[[:cntrl:]]+`)
	netBIOSName      = regexp.MustCompile(`^[^\\/:\*\?"<>|\.][^\\/:\*\?"<>|]{0,14}$`)
	windowsDomain    = regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$`)
	dotsAndSpaces    = regexp.MustCompile(`^[\. ]+$`)
)

// badWindowsUser says what is wrong with DOMAIN\user or user.
func badWindowsUser(name string) []string {
	domain, user, hasDomain := strings.Cut(name, `\`)
	if !hasDomain {
		domain, user = "", name
	}
	switch {
	case name == "":
		return []string{"runAsUserName cannot be an empty string"}
	case controlCharacter.MatchString(name):
		return []string{"runAsUserName cannot contain control characters"}
	case strings.Contains(user, `\`):
		return []string{"runAsUserName cannot contain more than one backslash"}
	}
	var complaints []string
	complain := func(text string, wrong bool) {
		if wrong {
			complaints = append(complaints, text)
		}
	}
	const longestDomain, longestUser = 256, 104
	complain(fmt.Sprintf("runAsUserName's Domain length must be under %d characters", longestDomain), len(domain) >= longestDomain)
	complain("runAsUserName's Domain doesn't match the NetBios nor the DNS format",
		hasDomain && !netBIOSName.MatchString(domain) && !windowsDomain.MatchString(domain))
	complain("runAsUserName's User cannot be empty", user == "")
	complain(fmt.Sprintf("runAsUserName's User length must not be longer than %d characters", longestUser), len(user) > longestUser)
	complain("runAsUserName's User cannot contain only periods or spaces", dotsAndSpaces.MatchString(user))
	complain(`runAsUserName's User cannot contain the following characters: "/\:;|=,+*?<>@[]`, strings.ContainsAny(user, `"/\:;|=,+*?<>@[]`))
	return complaints
}

// badHostName: what names a host in DNS.
func validateHostNames(s *corev1.PodSpec, at *field.Path) errorList {
	name := s.HostnameOverride
	if name == nil {
		return nil
	}
	at = child(at, "hostnameOverride")
	var errs errorList
	if value(s.SetHostnameAsFQDN) {
		errs = append(errs, field.Forbidden(at, "may not be specified when setHostnameAsFQDN is true"))
	}
	if s.HostNetwork {
		errs = append(errs, field.Forbidden(at, "may not be specified when hostNetwork is true"))
	}
	const longest = 64 // of a host name in Linux
	if len(*name) > longest {
		errs = append(errs, field.TooLong(at, "", longest))
	}
	return append(errs, invalidEach(at, *name, isDNSSubdomain(*name))...)
}
