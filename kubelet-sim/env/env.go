package env

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"coracle/kubelet-sim/downward"
)

// Env is an environment: values by name.
type Env map[string]string

// Sources are where referenced objects come from. An object that does not exist is a NotFound error.
type Sources interface {
	Secret(ctx context.Context, namespace, name string) (*corev1.Secret, error)
	ConfigMap(ctx context.Context, namespace, name string) (*corev1.ConfigMap, error)
}

// Build works out the environment of a container. services are those that it may see, from Services.
// An error is the message of the container's CreateContainerConfigError.
func Build(ctx context.Context, pod *corev1.Pod, container *corev1.Container, node downward.Node, services Env, sources Sources) (Env, error) {
	b := builder{pod: pod, container: container, node: node, sources: sources}
	env := Env{}
	for _, from := range container.EnvFrom {
		if err := b.from(ctx, env, from); err != nil {
			return nil, err
		}
	}
	for _, variable := range container.Env {
		value, ok, err := b.value(ctx, variable, env, services)
		if err != nil {
			return nil, err
		}
		if ok {
			env[variable.Name] = value
		}
	}
	for name, value := range services {
		if _, declared := env[name]; !declared {
			env[name] = value
		}
	}
	return env, nil
}

// List is the environment as NAME=value, sorted.
func (e Env) List() []string {
	list := make([]string, 0, len(e))
	for _, name := range slices.Sorted(maps.Keys(e)) {
		list = append(list, name+"="+e[name])
	}
	return list
}

type builder struct {
	pod       *corev1.Pod
	container *corev1.Container
	node      downward.Node
	sources   Sources
}

// from adds all keys of an object.
func (b builder) from(ctx context.Context, env Env, from corev1.EnvFromSource) error {
	switch {
	case from.ConfigMapRef != nil:
		configMap, err := b.sources.ConfigMap(ctx, b.pod.Namespace, from.ConfigMapRef.Name)
		if err != nil {
			return unlessMissing(err, from.ConfigMapRef.Optional)
		}
		for key, value := range configMap.Data {
			env[from.Prefix+key] = value
		}
	case from.SecretRef != nil:
		secret, err := b.sources.Secret(ctx, b.pod.Namespace, from.SecretRef.Name)
		if err != nil {
			return unlessMissing(err, from.SecretRef.Optional)
		}
		for key, value := range secret.Data {
			env[from.Prefix+key] = string(value)
		}
	}
	return nil
}

// value is what one variable is set to. ok is false when it is left out, being optional.
func (b builder) value(ctx context.Context, variable corev1.EnvVar, env, services Env) (value string, ok bool, err error) {
	from := variable.ValueFrom
	switch {
	case variable.Value != "":
		return Expand(variable.Value, func(name string) (string, bool) {
			value, ok := env[name]
			if !ok {
				value, ok = services[name]
			}
			return value, ok
		}), true, nil
	case from == nil:
		return "", true, nil
	case from.FieldRef != nil:
		value, err = downward.Field(b.pod, b.node, from.FieldRef.FieldPath)
		return value, true, err
	case from.ResourceFieldRef != nil:
		value, err = downward.Resource(b.pod, b.node, b.container.Name, from.ResourceFieldRef)
		return value, true, err
	case from.ConfigMapKeyRef != nil:
		ref := from.ConfigMapKeyRef
		configMap, err := b.sources.ConfigMap(ctx, b.pod.Namespace, ref.Name)
		if err != nil {
			return "", false, unlessMissing(err, ref.Optional)
		}
		value, ok := configMap.Data[ref.Key]
		if !ok && !optional(ref.Optional) {
			err = fmt.Errorf("couldn't find key %v in ConfigMap %v/%v", ref.Key, b.pod.Namespace, ref.Name)
		}
		return value, ok, err
	case from.SecretKeyRef != nil:
		ref := from.SecretKeyRef
		secret, err := b.sources.Secret(ctx, b.pod.Namespace, ref.Name)
		if err != nil {
			return "", false, unlessMissing(err, ref.Optional)
		}
		value, ok := secret.Data[ref.Key]
		if !ok && !optional(ref.Optional) {
			err = fmt.Errorf("couldn't find key %v in Secret %v/%v", ref.Key, b.pod.Namespace, ref.Name)
		}
		return string(value), ok, err
	}
	return "", false, errors.New("this kind of environment variable source is not simulated")
}

func unlessMissing(err error, opt *bool) error {
	if apierrors.IsNotFound(err) && optional(opt) {
		return nil
	}
	return err
}

func optional(b *bool) bool { return b != nil && *b }
