package catalog

import (
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/diff"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Source of the rules and their sentences: k8s.io/kubernetes/pkg/apis/core/validation/validation.go.

func validatePod(p *corev1.Pod) errorList { return validatePodSpec(&p.Spec, field.NewPath("spec")) }

// validatePodTemplateSpec checks the pods-to-be of a workload.
func validatePodTemplateSpec(t *corev1.PodTemplateSpec, path *field.Path) errorList {
	return validatePodSpec(&t.Spec, path.Child("spec"))
}

func validatePodSpec(s *corev1.PodSpec, path *field.Path) errorList {
	var errs errorList
	volumes, volumeErrs := validateVolumes(s.Volumes, path.Child("volumes"))
	errs = append(errs, volumeErrs...)
	if len(s.Containers) == 0 {
		errs = append(errs, field.Required(path.Child("containers"), ""))
	}
	names := map[string]bool{}
	for i := range s.Containers {
		errs = append(errs, validateContainer(&s.Containers[i], volumes, names, path.Child("containers").Index(i))...)
	}
	for i := range s.InitContainers {
		errs = append(errs, validateContainer(&s.InitContainers[i], volumes, names, path.Child("initContainers").Index(i))...)
	}
	restarts := []corev1.RestartPolicy{corev1.RestartPolicyAlways, corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever}
	switch {
	case s.RestartPolicy == "":
		errs = append(errs, field.Required(path.Child("restartPolicy"), ""))
	case !slices.Contains(restarts, s.RestartPolicy):
		errs = append(errs, field.NotSupported(path.Child("restartPolicy"), s.RestartPolicy, restarts))
	}
	policies := []corev1.DNSPolicy{corev1.DNSClusterFirstWithHostNet, corev1.DNSClusterFirst, corev1.DNSDefault, corev1.DNSNone}
	if !slices.Contains(policies, s.DNSPolicy) {
		errs = append(errs, field.NotSupported(path.Child("dnsPolicy"), s.DNSPolicy, policies))
	}
	if s.ServiceAccountName != "" {
		for _, msg := range validation.ValidateServiceAccountName(s.ServiceAccountName, false) {
			errs = append(errs, field.Invalid(path.Child("serviceAccountName"), s.ServiceAccountName, msg))
		}
	}
	if s.NodeName != "" {
		for _, msg := range validation.NameIsDNSSubdomain(s.NodeName, false) {
			errs = append(errs, field.Invalid(path.Child("nodeName"), s.NodeName, msg))
		}
	}
	if d := s.ActiveDeadlineSeconds; d != nil && (*d < 1 || *d > 1<<31-1) {
		errs = append(errs, field.Invalid(path.Child("activeDeadlineSeconds"), *d, utilvalidation.InclusiveRangeError(1, 1<<31-1)))
	}
	if s.Hostname != "" {
		for _, msg := range utilvalidation.IsDNS1123Label(s.Hostname) {
			errs = append(errs, field.Invalid(path.Child("hostname"), s.Hostname, msg))
		}
	}
	return errs
}

func validateVolumes(volumes []corev1.Volume, path *field.Path) (map[string]bool, errorList) {
	var errs errorList
	names := map[string]bool{}
	for i := range volumes {
		v, at := &volumes[i], path.Index(i)
		switch {
		case v.Name == "":
			errs = append(errs, field.Required(at.Child("name"), ""))
		case names[v.Name]:
			errs = append(errs, field.Duplicate(at.Child("name"), v.Name))
		default:
			for _, msg := range utilvalidation.IsDNS1123Label(v.Name) {
				errs = append(errs, field.Invalid(at.Child("name"), v.Name, msg))
			}
		}
		names[v.Name] = true
		errs = append(errs, validateVolumeSource(&v.VolumeSource, at)...)
	}
	return names, errs
}

func validateVolumeSource(v *corev1.VolumeSource, at *field.Path) errorList {
	var errs errorList
	switch {
	case v.Secret != nil:
		if v.Secret.SecretName == "" {
			errs = append(errs, field.Required(at.Child("secret", "secretName"), ""))
		}
		errs = append(errs, validateMode(v.Secret.DefaultMode, at.Child("secret", "defaultMode"))...)
		errs = append(errs, validateItems(v.Secret.Items, at.Child("secret", "items"))...)
	case v.ConfigMap != nil:
		if v.ConfigMap.Name == "" {
			errs = append(errs, field.Required(at.Child("configMap", "name"), ""))
		}
		errs = append(errs, validateMode(v.ConfigMap.DefaultMode, at.Child("configMap", "defaultMode"))...)
		errs = append(errs, validateItems(v.ConfigMap.Items, at.Child("configMap", "items"))...)
	case v.HostPath != nil:
		if v.HostPath.Path == "" {
			errs = append(errs, field.Required(at.Child("hostPath", "path"), ""))
		}
		errs = append(errs, noBacksteps(v.HostPath.Path, at.Child("hostPath", "path"))...)
	case v.Projected != nil:
		errs = append(errs, validateMode(v.Projected.DefaultMode, at.Child("projected", "defaultMode"))...)
		for i, s := range v.Projected.Sources {
			source := at.Child("projected", "sources").Index(i)
			if t := s.ServiceAccountToken; t != nil {
				if t.ExpirationSeconds != nil && *t.ExpirationSeconds < 10*60 {
					errs = append(errs, field.Invalid(source.Child("serviceAccountToken", "expirationSeconds"), *t.ExpirationSeconds, "may not specify a duration less than 10 minutes"))
				}
				errs = append(errs, validateLocalPath(t.Path, source.Child("serviceAccountToken", "path"))...)
			}
			if s.Secret != nil {
				errs = append(errs, validateItems(s.Secret.Items, source.Child("secret", "items"))...)
			}
			if s.ConfigMap != nil {
				errs = append(errs, validateItems(s.ConfigMap.Items, source.Child("configMap", "items"))...)
			}
		}
	case v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == "":
		errs = append(errs, field.Required(at.Child("persistentVolumeClaim", "claimName"), ""))
	}
	return errs
}

func validateMode(mode *int32, at *field.Path) errorList {
	if mode != nil && (*mode < 0 || *mode > 0o777) {
		return errorList{field.Invalid(at, *mode, "must be a number between 0 and 0777 (octal), both inclusive")}
	}
	return nil
}

func validateItems(items []corev1.KeyToPath, at *field.Path) errorList {
	var errs errorList
	for i, item := range items {
		if item.Key == "" {
			errs = append(errs, field.Required(at.Index(i).Child("key"), ""))
		}
		errs = append(errs, validateLocalPath(item.Path, at.Index(i).Child("path"))...)
		errs = append(errs, validateMode(item.Mode, at.Index(i).Child("mode"))...)
	}
	return errs
}

// validateLocalPath keeps a file inside its volume.
func validateLocalPath(p string, at *field.Path) errorList {
	switch {
	case p == "":
		return errorList{field.Required(at, "")}
	case path.IsAbs(p):
		return errorList{field.Invalid(at, p, "must be a relative path")}
	case strings.HasPrefix(p, "..") && p != ".." && !strings.HasPrefix(p, "../"):
		return errorList{field.Invalid(at, p, "must not start with '..'")}
	}
	return noBacksteps(p, at)
}

func noBacksteps(p string, at *field.Path) errorList {
	if slices.Contains(strings.Split(p, "/"), "..") {
		return errorList{field.Invalid(at, p, "must not contain '..'")}
	}
	return nil
}

func validateContainer(c *corev1.Container, volumes, names map[string]bool, at *field.Path) errorList {
	var errs errorList
	switch {
	case c.Name == "":
		errs = append(errs, field.Required(at.Child("name"), ""))
	case names[c.Name]:
		errs = append(errs, field.Duplicate(at.Child("name"), c.Name))
	default:
		for _, msg := range utilvalidation.IsDNS1123Label(c.Name) {
			errs = append(errs, field.Invalid(at.Child("name"), c.Name, msg))
		}
	}
	names[c.Name] = true
	switch {
	case c.Image == "":
		errs = append(errs, field.Required(at.Child("image"), ""))
	case strings.TrimSpace(c.Image) != c.Image:
		errs = append(errs, field.Invalid(at.Child("image"), c.Image, "must not have leading or trailing whitespace"))
	}
	for i, p := range c.Ports {
		port := at.Child("ports").Index(i)
		if p.ContainerPort == 0 {
			errs = append(errs, field.Required(port.Child("containerPort"), ""))
		} else {
			for _, msg := range utilvalidation.IsValidPortNum(int(p.ContainerPort)) {
				errs = append(errs, field.Invalid(port.Child("containerPort"), p.ContainerPort, msg))
			}
		}
		errs = append(errs, validateProtocol(p.Protocol, port.Child("protocol"))...)
	}
	mounts := map[string]bool{}
	for i, m := range c.VolumeMounts {
		mount := at.Child("volumeMounts").Index(i)
		switch {
		case m.Name == "":
			errs = append(errs, field.Required(mount.Child("name"), ""))
		case !volumes[m.Name]:
			errs = append(errs, field.NotFound(mount.Child("name"), m.Name))
		}
		switch {
		case m.MountPath == "":
			errs = append(errs, field.Required(mount.Child("mountPath"), ""))
		case mounts[m.MountPath]:
			errs = append(errs, field.Invalid(mount.Child("mountPath"), m.MountPath, "must be unique"))
		}
		mounts[m.MountPath] = true
		if m.SubPath != "" {
			errs = append(errs, validateLocalPath(m.SubPath, mount.Child("subPath"))...)
		}
	}
	for i, e := range c.Env {
		env := at.Child("env").Index(i)
		if e.Name == "" {
			errs = append(errs, field.Required(env.Child("name"), ""))
		} else {
			for _, msg := range utilvalidation.IsRelaxedEnvVarName(e.Name) {
				errs = append(errs, field.Invalid(env.Child("name"), e.Name, msg))
			}
		}
		if e.Value != "" && e.ValueFrom != nil {
			errs = append(errs, field.Invalid(env.Child("valueFrom"), "", "may not be specified when `value` is not empty"))
		}
	}
	pulls := []corev1.PullPolicy{corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever}
	if !slices.Contains(pulls, c.ImagePullPolicy) {
		errs = append(errs, field.NotSupported(at.Child("imagePullPolicy"), c.ImagePullPolicy, pulls))
	}
	for name, request := range c.Resources.Requests {
		if limit, ok := c.Resources.Limits[name]; ok && request.Cmp(limit) > 0 {
			errs = append(errs, field.Invalid(at.Child("resources", "requests"), request.String(), fmt.Sprintf("must be less than or equal to %s limit of %s", name, limit.String())))
		}
	}
	return errs
}

// validatePodChange: of a pod that exists little can be changed, and its service account cannot.
func validatePodChange(p, old *corev1.Pod) errorList {
	var errs errorList
	spec := field.NewPath("spec")
	for _, c := range []struct {
		now, was []corev1.Container
		name     string
	}{{p.Spec.Containers, old.Spec.Containers, "containers"}, {p.Spec.InitContainers, old.Spec.InitContainers, "initContainers"}} {
		if len(c.now) != len(c.was) {
			return append(errs, field.Forbidden(spec.Child(c.name), "pod updates may not add or remove containers"))
		}
	}
	now, was := p.Spec.ActiveDeadlineSeconds, old.Spec.ActiveDeadlineSeconds
	switch {
	case now == nil && was != nil:
		errs = append(errs, field.Invalid(spec.Child("activeDeadlineSeconds"), now, "must not update from a positive integer to nil value"))
	case now != nil && was != nil && *was < *now:
		return append(errs, field.Invalid(spec.Child("activeDeadlineSeconds"), *now, "must be less than or equal to previous value"))
	}
	for _, t := range old.Spec.Tolerations {
		if !slices.ContainsFunc(p.Spec.Tolerations, func(n corev1.Toleration) bool { return n.MatchToleration(&t) }) {
			errs = append(errs, field.Forbidden(spec.Child("tolerations"), "existing toleration can not be modified except its tolerationSeconds"))
			break
		}
	}
	for _, g := range p.Spec.SchedulingGates {
		if !slices.Contains(old.Spec.SchedulingGates, g) {
			errs = append(errs, field.Forbidden(spec.Child("schedulingGates").Child(g.Name), "only deletion is allowed, but found new scheduling gate '"+g.Name+"'"))
		}
	}
	allowed := p.Spec.DeepCopy()
	for i := range allowed.Containers {
		allowed.Containers[i].Image = old.Spec.Containers[i].Image
	}
	for i := range allowed.InitContainers {
		allowed.InitContainers[i].Image = old.Spec.InitContainers[i].Image
	}
	allowed.ActiveDeadlineSeconds = old.Spec.ActiveDeadlineSeconds
	allowed.Tolerations, allowed.SchedulingGates = old.Spec.Tolerations, old.Spec.SchedulingGates
	if g := old.Spec.TerminationGracePeriodSeconds; g != nil && *g < 0 && value(allowed.TerminationGracePeriodSeconds) == 1 {
		allowed.TerminationGracePeriodSeconds = g
	}
	if !apiequality.Semantic.DeepEqual(*allowed, old.Spec) {
		errs = append(errs, field.Forbidden(spec, fmt.Sprintf("pod updates may not change fields other than %s\n%v",
			strings.Join([]string{
				"`spec.containers[*].image`", "`spec.initContainers[*].image`", "`spec.activeDeadlineSeconds`",
				"`spec.tolerations` (only additions to existing tolerations)",
				"`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
			}, ","), diff.Diff(old.Spec, *allowed))))
	}
	return errs
}
