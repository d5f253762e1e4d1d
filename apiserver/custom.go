package apiserver

import (
	"errors"
	"strings"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"coracle/apiserver/catalog"
)

// Custom resources go the way of all objects. What is here is what only their rows need: kinds that come and go, and
// numbers whose place the definition tells.

// kind finds the row that a request speaks of, nil for none, and keeps a custom one from being cleaned away while the
// request writes.
func (s *Server) kind(info *apirequest.RequestInfo) (*catalog.Kind, func()) {
	gvr := schema.GroupVersionResource{Group: info.APIGroup, Version: info.APIVersion, Resource: info.Resource}
	for {
		k := s.Catalog.ByResource(gvr)
		if k == nil || k.Custom == nil || !writes(info.Verb) {
			return k, func() {}
		}
		k.Custom.Writing.RLock()
		if s.Catalog.ByResource(gvr) == k {
			return k, k.Custom.Writing.RUnlock
		}
		k.Custom.Writing.RUnlock() // replaced meanwhile
	}
}

func writes(verb string) bool {
	switch verb {
	case "create", "update", "patch", "delete", "deletecollection":
		return true
	}
	return false
}

// refuseTerminating: there are no new objects of a kind whose definition is being deleted.
func (c *call) refuseTerminating(name string) error {
	if c.kind.Custom == nil || !c.kind.Custom.Terminating {
		return nil
	}
	return apierrors.NewForbidden(c.kind.Qualified(), name, errors.New("create not allowed while custom resource definition is terminating"))
}

// refuseUnversioned: objects of some kinds, custom resources among them, are replaced in a state that the client has seen, or
// not at all.
func (c *call) refuseUnversioned() error {
	kind := schema.GroupKind{Group: c.kind.Group, Kind: c.kind.Resource} // upstream has no better name at hand
	return apierrors.NewInvalid(kind, c.info.Name, field.ErrorList{
		field.Invalid(field.NewPath("metadata", "resourceVersion"), 0, "must be specified for an update"),
	})
}

// customScale reads a Scale from where the definition says that it is.
// Source: scaleFromCustomResource in k8s.io/apiextensions-apiserver/pkg/registry/customresource/etcd.go.
func (c *call) customScale(obj runtime.Object) (*autoscalingv1.Scale, error) {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok || c.kind.Custom == nil || c.kind.Custom.Scale == nil {
		return nil, apierrors.NewNotFound(c.kind.Qualified(), c.info.Name)
	}
	paths := c.kind.Custom.Scale
	s := &autoscalingv1.Scale{TypeMeta: metav1.TypeMeta{Kind: "Scale", APIVersion: "autoscaling/v1"}}
	m, err := meta.Accessor(obj)
	if err != nil {
		return nil, err
	}
	s.Name, s.Namespace, s.UID = m.GetName(), m.GetNamespace(), m.GetUID()
	s.ResourceVersion, s.CreationTimestamp = m.GetResourceVersion(), m.GetCreationTimestamp()
	wanted, _, err := unstructured.NestedInt64(u.Object, fieldsOf(paths.SpecReplicasPath)...)
	if err != nil {
		return nil, err
	}
	have, _, err := unstructured.NestedInt64(u.Object, fieldsOf(paths.StatusReplicasPath)...)
	if err != nil {
		return nil, err
	}
	s.Spec.Replicas, s.Status.Replicas = int32(wanted), int32(have)
	if p := paths.LabelSelectorPath; p != nil && *p != "" {
		if s.Status.Selector, _, err = unstructured.NestedString(u.Object, fieldsOf(*p)...); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// setCustomReplicas writes a number to where the definition says that it belongs.
func (c *call) setCustomReplicas(obj runtime.Object, n int32) error {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok || c.kind.Custom == nil || c.kind.Custom.Scale == nil {
		return apierrors.NewNotFound(c.kind.Qualified(), c.info.Name)
	}
	return unstructured.SetNestedField(u.Object, int64(n), fieldsOf(c.kind.Custom.Scale.SpecReplicasPath)...)
}

// fieldsOf takes a simple JSON path, such as .spec.replicas, apart.
func fieldsOf(path string) []string { return strings.Split(strings.TrimPrefix(path, "."), ".") }
