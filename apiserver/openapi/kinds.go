package openapi

import (
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coracle/apiserver/catalog"
)

const kindExtension = "x-kubernetes-group-version-kind"

// byModel tells which kinds the schemas of Go types describe. A custom kind's schema says so itself.
func byModel(kinds []*catalog.Kind) map[string][]schema.GroupVersionKind {
	out := map[string][]schema.GroupVersionKind{}
	add := func(obj any, gvk schema.GroupVersionKind) {
		if name := modelName(reflect.TypeOf(obj).Elem()); !slices.Contains(out[name], gvk) {
			out[name] = append(out[name], gvk)
		}
	}
	for _, k := range kinds {
		if k.Custom != nil {
			continue
		}
		add(k.New(), k.GroupVersionKind)
		if k.NewList != nil {
			add(k.NewList(), k.GroupVersion().WithKind(k.ListKind()))
		}
		for _, s := range k.Subresources {
			if s.New != nil {
				add(s.New(), s.Kind)
			}
		}
	}
	for _, obj := range []any{&metav1.Status{}, &metav1.APIVersions{}, &metav1.APIGroup{}, &metav1.APIGroupList{}, &metav1.APIResourceList{}} {
		add(obj, schema.GroupVersionKind{Version: "v1", Kind: reflect.TypeOf(obj).Elem().Name()})
	}
	return out
}

// everywhere are the group versions of Kubernetes, served or not. Each has kinds DeleteOptions and WatchEvent, which are the
// same in all of them.
// Source: the schemes of k8s.io/kubernetes/pkg/api/legacyscheme, k8s.io/apiextensions-apiserver and k8s.io/kube-aggregator.
const everywhere = "/v1 admission.k8s.io/v1 v1beta1 admissionregistration.k8s.io/v1 v1alpha1 v1beta1 apiextensions.k8s.io/v1 v1beta1 " +
	"apiregistration.k8s.io/v1 v1beta1 apps/v1 v1beta1 v1beta2 authentication.k8s.io/v1 v1alpha1 v1beta1 authorization.k8s.io/v1 v1beta1 " +
	"autoscaling/v1 v2 batch/v1 v1beta1 certificates.k8s.io/v1 v1alpha1 v1beta1 coordination.k8s.io/v1 v1alpha2 v1beta1 " +
	"discovery.k8s.io/v1 v1beta1 events.k8s.io/v1 v1beta1 extensions/v1beta1 flowcontrol.apiserver.k8s.io/v1 v1beta1 v1beta2 v1beta3 " +
	"imagepolicy.k8s.io/v1alpha1 internal.apiserver.k8s.io/v1alpha1 lifecycle.k8s.io/v1alpha1 networking.k8s.io/v1 v1beta1 " +
	"node.k8s.io/v1 v1alpha1 v1beta1 policy/v1 v1beta1 rbac.authorization.k8s.io/v1 v1alpha1 v1beta1 " +
	"resource.k8s.io/v1 v1alpha3 v1beta1 v1beta2 scheduling.k8s.io/v1 v1alpha3 v1beta1 storage.k8s.io/v1 v1alpha1 v1beta1 " +
	"storagemigration.k8s.io/v1 v1beta1"

// groupVersions are all of them, or those alone that clients know, by which documents of custom kinds go.
func groupVersions(clients bool) []schema.GroupVersion {
	var out []schema.GroupVersion
	group := ""
	for _, word := range strings.Fields(everywhere) {
		version := word
		if g, v, ok := strings.Cut(word, "/"); ok {
			group, version = g, v
		}
		switch group {
		case "admission.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "imagepolicy.k8s.io":
			if clients {
				continue
			}
		}
		out = append(out, schema.GroupVersion{Group: group, Version: version})
	}
	return out
}

// nameKinds says in the schemas of m which kinds they describe. shared are the group versions that have the shared kinds.
func (m *models) nameKinds(kinds map[string][]schema.GroupVersionKind, shared []schema.GroupVersion) {
	for name, s := range m.schemas {
		is := kinds[name]
		for _, kind := range []string{"DeleteOptions", "WatchEvent"} {
			if name == "io.k8s.apimachinery.pkg.apis.meta.v1."+kind {
				for _, gv := range shared {
					is = append(is, gv.WithKind(kind))
				}
			}
		}
		var all []any
		for _, gvk := range slices.Compact(is) {
			all = append(all, inMap(gvk))
		}
		if len(all) > 0 {
			s.AddExtension(kindExtension, all)
		}
	}
}

func inMap(gvk schema.GroupVersionKind) map[string]any {
	return map[string]any{"group": gvk.Group, "version": gvk.Version, "kind": gvk.Kind}
}
