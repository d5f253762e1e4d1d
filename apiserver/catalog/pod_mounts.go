package catalog

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// places are where a container sees volumes, by the volumes' names.
type places map[string]string

func (p places) hasName(name string) bool { _, ok := p[name]; return ok }

func (p places) hasPath(path string) bool {
	for _, used := range p {
		if used == path {
			return true
		}
	}
	return false
}

// validateMounts checks where a container sees volumes as directories and files.
func validateMounts(c *corev1.Container, volumes volumesByName, path *field.Path) errorList {
	var errs errorList
	devices, taken := places{}, map[string]bool{}
	for _, d := range c.VolumeDevices {
		devices[d.Name] = d.DevicePath
	}
	for i := range c.VolumeMounts {
		m, at := &c.VolumeMounts[i], nth(path, i)
		errs = append(errs, needed(child(at, "name"), m.Name)...)
		if volumes[m.Name] == nil {
			errs = append(errs, field.NotFound(child(at, "name"), m.Name))
		}
		errs = append(errs, needed(child(at, "mountPath"), m.MountPath)...)
		if taken[m.MountPath] {
			errs = append(errs, field.Invalid(child(at, "mountPath"), m.MountPath, "must be unique"))
		}
		taken[m.MountPath] = true
		if devices.hasName(m.Name) {
			errs = append(errs, field.Invalid(child(at, "name"), m.Name, "must not already exist in volumeDevices"))
		}
		if devices.hasPath(m.MountPath) {
			errs = append(errs, field.Invalid(child(at, "mountPath"), m.MountPath, "must not already exist as a path in volumeDevices"))
		}
		// Kubernetes reports what follows at the list of mounts, not at the mount.
		if m.SubPath != "" {
			errs = append(errs, descendingPath(child(path, "subPath"), m.SubPath)...)
		}
		if m.SubPathExpr != "" {
			if m.SubPath != "" {
				errs = append(errs, field.Invalid(child(at, "subPathExpr"), m.SubPathExpr, "subPathExpr and subPath are mutually exclusive"))
			}
			errs = append(errs, descendingPath(child(path, "subPathExpr"), m.SubPathExpr)...)
		}
		errs = append(errs, validatePropagation(m.MountPropagation, c, child(path, "mountPropagation"))...)
		errs = append(errs, validateRecursiveReadOnly(m, child(path, "recursiveReadOnly"))...)
	}
	return errs
}

// validatePropagation: mounts that reach the host's other processes are for privileged containers alone.
func validatePropagation(mode *corev1.MountPropagationMode, c *corev1.Container, at *field.Path) errorList {
	errs := knownIfSet(at, mode, corev1.MountPropagationBidirectional, corev1.MountPropagationHostToContainer, corev1.MountPropagationNone)
	privileged := c.SecurityContext != nil && value(c.SecurityContext.Privileged)
	if value(mode) == corev1.MountPropagationBidirectional && !privileged {
		errs = append(errs, field.Forbidden(at, "Bidirectional mount propagation is available only to privileged containers"))
	}
	return errs
}

func validateRecursiveReadOnly(m *corev1.VolumeMount, at *field.Path) errorList {
	var errs errorList
	switch mode := m.RecursiveReadOnly; {
	case mode == nil || *mode == corev1.RecursiveReadOnlyDisabled:
	case *mode == corev1.RecursiveReadOnlyEnabled || *mode == corev1.RecursiveReadOnlyIfPossible:
		if !m.ReadOnly {
			errs = append(errs, field.Forbidden(at, "may only be specified when readOnly is true"))
		}
		if p := m.MountPropagation; p != nil && *p != corev1.MountPropagationNone {
			errs = append(errs, field.Forbidden(at, "may only be specified when mountPropagation is None or not specified"))
		}
	default:
		return oneOf(at, *mode, corev1.RecursiveReadOnlyDisabled, corev1.RecursiveReadOnlyEnabled, corev1.RecursiveReadOnlyIfPossible)
	}
	return errs
}

// validateDevices checks where a container sees volumes as block devices.
func validateDevices(c *corev1.Container, volumes volumesByName, path *field.Path) errorList {
	var errs errorList
	mounts, names, paths := places{}, []string{}, []string{}
	for _, m := range c.VolumeMounts {
		mounts[m.Name] = m.MountPath
	}
	for i, d := range c.VolumeDevices {
		at := nth(path, i)
		errs = append(errs, needed(child(at, "name"), d.Name)...)
		if slices.Contains(names, d.Name) {
			errs = append(errs, field.Invalid(child(at, "name"), d.Name, "must be unique"))
		}
		switch v := volumes[d.Name]; {
		case v == nil:
			errs = append(errs, field.NotFound(child(at, "name"), d.Name))
		case v.PersistentVolumeClaim == nil && v.Ephemeral == nil:
			errs = append(errs, field.Invalid(child(at, "name"), d.Name, "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"))
		}
		errs = append(errs, needed(child(at, "devicePath"), d.DevicePath)...)
		if slices.Contains(paths, d.DevicePath) {
			errs = append(errs, field.Invalid(child(at, "devicePath"), d.DevicePath, "must be unique"))
		}
		if len(noBacksteps(at, d.DevicePath)) > 0 {
			errs = append(errs, field.Invalid(child(at, "devicePath"), d.DevicePath, "can not contain backsteps ('..')"))
		} else {
			paths = append(paths, d.DevicePath)
		}
		if mounts.hasName(d.Name) {
			errs = append(errs, field.Invalid(child(at, "name"), d.Name, "must not already exist in volumeMounts"))
		}
		if mounts.hasPath(d.DevicePath) {
			errs = append(errs, field.Invalid(child(at, "devicePath"), d.DevicePath, "must not already exist as a path in volumeMounts"))
		}
		if d.Name != "" {
			names = append(names, d.Name)
		}
	}
	return errs
}
