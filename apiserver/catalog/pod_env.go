package catalog

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// A container's environment, and the references to fields from which it, and files, are made.

func validateEnv(vars []corev1.EnvVar, path *field.Path) errorList {
	var errs errorList
	for i := range vars {
		v := &vars[i] // of which there are many, and few whose path is needed
		if v.Name == "" {
			errs = append(errs, field.Required(child(nth(path, i), "name"), ""))
		} else if why := validation.IsRelaxedEnvVarName(v.Name); len(why) > 0 {
			errs = append(errs, invalidEach(child(nth(path, i), "name"), v.Name, why)...)
		}
		if v.ValueFrom != nil {
			errs = append(errs, validateEnvSource(v, child(nth(path, i), "valueFrom"))...)
		}
	}
	return errs
}

func validateEnvSource(v *corev1.EnvVar, at *field.Path) errorList {
	var errs errorList
	from, found := v.ValueFrom, 0
	if from.FieldRef != nil {
		found++
		errs = append(errs, validateFieldRef(from.FieldRef, child(at, "fieldRef"),
			"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
			"status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs")...)
	}
	if from.ResourceFieldRef != nil {
		found++
		errs = append(errs, validateResourceRef(from.ResourceFieldRef, child(at, "resourceFieldRef"))...)
	}
	if r := from.ConfigMapKeyRef; r != nil {
		found++
		errs = append(errs, validateKeyRef(r.Name, r.Key, child(at, "configMapKeyRef"))...)
	}
	if r := from.SecretKeyRef; r != nil {
		found++
		errs = append(errs, validateKeyRef(r.Name, r.Key, child(at, "secretKeyRef"))...)
	}
	if from.FileKeyRef != nil {
		found++
		errs = append(errs, validateFileKeyRef(from.FileKeyRef, child(at, "fileKeyRef"))...)
	}
	switch {
	case found == 0:
		errs = append(errs, field.Invalid(at, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"))
	case v.Value != "":
		errs = append(errs, field.Invalid(at, "", "may not be specified when `value` is not empty"))
	case found > 1:
		errs = append(errs, field.Invalid(at, "", "may not have more than one field specified at a time"))
	}
	return errs
}

func validateKeyRef(name, key string, at *field.Path) errorList {
	errs := objectName(child(at, "name"), name, apivalidation.NameIsDNSSubdomain)
	if key == "" {
		return append(errs, field.Required(child(at, "key"), ""))
	}
	return append(errs, invalidEach(child(at, "key"), key, validation.IsConfigMapKey(key))...)
}

func validateFileKeyRef(r *corev1.FileKeySelector, at *field.Path) errorList {
	var errs errorList
	if r.Key == "" {
		errs = append(errs, field.Required(child(at, "key"), ""))
	} else {
		errs = append(errs, invalidEach(child(at, "key"), r.Key, validation.IsRelaxedEnvVarName(r.Key))...)
	}
	errs = append(errs, neededLabel(child(at, "volumeName"), r.VolumeName)...)
	if r.Path == "" {
		return append(errs, field.Required(child(at, "path"), ""))
	}
	return append(errs, noBacksteps(child(at, "path"), r.Path)...)
}

// validateFileKeyVolumes: files of environment variables live in volumes of the pod's own.
func validateFileKeyVolumes(s *corev1.PodSpec, path *field.Path) errorList {
	var errs errorList
	for c, at := range allContainers(s, path).each {
		for i, v := range c.Env {
			if v.ValueFrom == nil || v.ValueFrom.FileKeyRef == nil {
				continue
			}
			name, named := v.ValueFrom.FileKeyRef.VolumeName, child(nth(child(at, "env"), i), "valueFrom", "fileKeyRef", "volumeName")
			// The last of several volumes of a name counts.
			var volume *corev1.Volume
			for j := range s.Volumes {
				if s.Volumes[j].Name == name {
					volume = &s.Volumes[j]
				}
			}
			switch {
			case volume == nil:
				errs = append(errs, field.NotFound(named, name))
			case volume.EmptyDir == nil:
				errs = append(errs, field.Invalid(named, name, "referenced volume must be of type emptyDir"))
			}
		}
	}
	return errs
}

func validateEnvFrom(vars []corev1.EnvFromSource, path *field.Path) errorList {
	var errs errorList
	for i, v := range vars {
		at := nth(path, i)
		if v.Prefix != "" {
			errs = append(errs, invalidEach(child(at, "prefix"), v.Prefix, validation.IsRelaxedEnvVarName(v.Prefix))...)
		}
		if v.ConfigMapRef != nil {
			errs = append(errs, validateEnvObject(v.ConfigMapRef.Name, child(at, "configMapRef"))...)
		}
		if v.SecretRef != nil {
			errs = append(errs, validateEnvObject(v.SecretRef.Name, child(at, "secretRef"))...)
		}
		switch {
		case v.ConfigMapRef == nil && v.SecretRef == nil:
			errs = append(errs, field.Invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
		case v.ConfigMapRef != nil && v.SecretRef != nil:
			errs = append(errs, field.Invalid(path, "", "may not have more than one field specified at a time"))
		}
	}
	return errs
}

func validateEnvObject(name string, at *field.Path) errorList {
	if name == "" {
		return errorList{field.Required(child(at, "name"), "")}
	}
	return invalidEach(child(at, "name"), name, apivalidation.NameIsDNSSubdomain(name, true))
}

// downwardFields are the fields of a pod that can be spoken of at all.
func downwardFields() []string {
	return []string{
		"metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid",
		"spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName", "spec.schedulerName",
		"status.phase", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
	}
}

// validateFieldRef checks a reference to one of a pod's own fields, of which those given are allowed in this place.
func validateFieldRef(r *corev1.ObjectFieldSelector, at *field.Path, allowed ...string) errorList {
	if r.APIVersion == "" {
		return errorList{field.Required(child(at, "apiVersion"), "")}
	}
	if r.FieldPath == "" {
		return errorList{field.Required(child(at, "fieldPath"), "")}
	}
	unknown := func(text string) errorList {
		return errorList{field.Invalid(child(at, "fieldPath"), r.FieldPath, "error converting fieldPath: "+text)}
	}
	if r.APIVersion != "v1" {
		return unknown("unsupported pod version: " + r.APIVersion)
	}
	if path, key, ok := subscripted(r.FieldPath); ok {
		switch path {
		case "metadata.annotations":
			return qualifiedName(at, strings.ToLower(key))
		case "metadata.labels":
			return qualifiedName(at, key)
		}
		return unknown("field label does not support subscript: " + r.FieldPath)
	}
	path := r.FieldPath
	if path == "spec.host" { // its name before v1
		path = "spec.nodeName"
	}
	if !slices.Contains(downwardFields(), path) {
		return unknown("field label not supported: " + r.FieldPath)
	}
	return oneOf(child(at, "fieldPath"), path, allowed...)
}

// subscripted takes metadata.labels['key'] apart.
func subscripted(fieldPath string) (path, key string, ok bool) {
	s, ok := strings.CutSuffix(fieldPath, "']")
	if !ok {
		return "", "", false
	}
	path, key, ok = strings.Cut(s, "['")
	return path, key, ok && path != ""
}

// validateResourceRef checks a reference to what a container requests, or is limited to.
func validateResourceRef(r *corev1.ResourceFieldSelector, at *field.Path) errorList {
	known := []string{
		"limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory",
	}
	var errs errorList
	switch {
	case r.Resource == "":
		errs = append(errs, field.Required(child(at, "resource"), ""))
	case !ofHugePages(r.Resource):
		errs = oneOf(child(at, "resource"), r.Resource, known...)
	}
	return append(errs, validateDivisor(r, at)...)
}

func ofHugePages(resource string) bool {
	return strings.HasPrefix(resource, "requests.hugepages-") || strings.HasPrefix(resource, "limits.hugepages-")
}

// validateDivisor checks the unit in which a reference is told.
func validateDivisor(r *corev1.ResourceFieldSelector, at *field.Path) errorList {
	if r.Divisor.IsZero() {
		return nil
	}
	units, kind := []string{"1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"}, ""
	switch {
	case r.Resource == "limits.cpu" || r.Resource == "requests.cpu":
		units, kind = []string{"1m", "1"}, "cpu"
	case r.Resource == "limits.memory" || r.Resource == "requests.memory":
		kind = "memory"
	case r.Resource == "limits.ephemeral-storage" || r.Resource == "requests.ephemeral-storage":
		kind = "local ephemeral storage"
	case ofHugePages(r.Resource):
		kind = "hugepages"
	}
	if kind == "" || slices.Contains(units, r.Divisor.String()) {
		return nil
	}
	list := strings.Join(units, ", ")
	if kind == "cpu" {
		list = "1m and 1"
	}
	return errorList{field.Invalid(child(at, "divisor"), r.Resource, fmt.Sprintf("only divisor's values %s are supported with the %s resource", list, kind))}
}
