// Package discovery tells clients what is served: groups, versions, kinds and their verbs, made from the
// catalog's rows in both of Kubernetes' forms.
//
//   - legacy: one document for /api, /apis, each group and each version;
//   - aggregated (KEP-3352): one document for each of /api and /apis.
//
// Start reading at Resources.
//
// Simplifications: the addresses by client network that /api lists are this server's only one.
package discovery

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coracle/apiserver/catalog"
)

// Groups lists the groups but for the core one, in the catalog's order.
func Groups(kinds []*catalog.Kind) *metav1.APIGroupList {
	l := &metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}}
	for _, name := range groupNames(kinds) {
		if name != "" {
			g := Group(kinds, name)
			g.TypeMeta = metav1.TypeMeta{}
			l.Groups = append(l.Groups, *g)
		}
	}
	return l
}

// Group describes one group, nil when nothing of it is served.
func Group(kinds []*catalog.Kind, name string) *metav1.APIGroup {
	g := &metav1.APIGroup{TypeMeta: metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"}, Name: name}
	for _, v := range versions(kinds, name) {
		g.Versions = append(g.Versions, metav1.GroupVersionForDiscovery{
			GroupVersion: schema.GroupVersion{Group: name, Version: v}.String(), Version: v,
		})
	}
	if len(g.Versions) == 0 {
		return nil
	}
	g.PreferredVersion = g.Versions[0]
	return g
}

// Resources lists what one version of a group serves, nil when nothing.
func Resources(kinds []*catalog.Kind, gv schema.GroupVersion) *metav1.APIResourceList {
	l := &metav1.APIResourceList{
		TypeMeta:     metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"},
		GroupVersion: gv.String(),
	}
	if gv.Group == "" {
		l.APIVersion = "" // upstream's core list goes without
	}
	for _, k := range of(kinds, gv) {
		r := metav1.APIResource{
			Name: k.Resource, SingularName: k.Singular, Namespaced: k.Namespaced, Kind: k.Kind,
			Verbs: verbs(k), ShortNames: k.ShortNames, Categories: k.Categories,
		}
		if k.Custom != nil {
			r.StorageVersionHash = storageVersionHash(k.GroupKind().WithVersion(k.Custom.StorageVersion))
		} else if slices.Contains(k.AllVerbs(), "get") && k.Resource != "componentstatuses" {
			r.StorageVersionHash = storageVersionHash(kept(k.GroupVersionKind))
		}
		l.APIResources = append(l.APIResources, r)
		for _, s := range k.Subresources {
			sub := metav1.APIResource{
				Name: k.Resource + "/" + s.Name, Namespaced: k.Namespaced, Kind: s.Kind.Kind, Verbs: s.Verbs,
			}
			if s.Kind.GroupVersion() != gv {
				sub.Group, sub.Version = s.Kind.Group, s.Kind.Version
			}
			l.APIResources = append(l.APIResources, sub)
		}
	}
	if len(l.APIResources) == 0 {
		return nil
	}
	if of(kinds, gv)[0].Custom == nil { // upstream lists custom resources as their definitions come
		slices.SortStableFunc(l.APIResources, func(a, b metav1.APIResource) int { return strings.Compare(a.Name, b.Name) })
	}
	return l
}

// Aggregated describes the core group (of /api), or all others (of /apis), in one document.
func Aggregated(kinds []*catalog.Kind, core bool) *apidiscoveryv2.APIGroupDiscoveryList {
	l := &apidiscoveryv2.APIGroupDiscoveryList{
		TypeMeta: metav1.TypeMeta{Kind: "APIGroupDiscoveryList", APIVersion: "apidiscovery.k8s.io/v2"},
		Items:    []apidiscoveryv2.APIGroupDiscovery{},
	}
	for _, name := range groupNames(kinds) {
		if (name == "") != core {
			continue
		}
		g := apidiscoveryv2.APIGroupDiscovery{ObjectMeta: metav1.ObjectMeta{Name: name}}
		for _, v := range versions(kinds, name) {
			gv := schema.GroupVersion{Group: name, Version: v}
			d := apidiscoveryv2.APIVersionDiscovery{Version: v, Freshness: apidiscoveryv2.DiscoveryFreshnessCurrent}
			for _, k := range of(kinds, gv) {
				d.Resources = append(d.Resources, resource(k, gv))
			}
			slices.SortStableFunc(d.Resources, func(a, b apidiscoveryv2.APIResourceDiscovery) int {
				return strings.Compare(a.Resource, b.Resource)
			})
			g.Versions = append(g.Versions, d)
		}
		l.Items = append(l.Items, g)
	}
	return l
}

// verbs are those of a kind that clients should know of: of one that is on its way out, not those that keep it. They work all the same,
// but for create, so that finalizers can be removed.
// Source: k8s.io/apiextensions-apiserver/pkg/apiserver/customresource_discovery_controller.go.
func verbs(k *catalog.Kind) []string {
	if k.Custom != nil && k.Custom.Terminating {
		return []string{"delete", "deletecollection", "get", "list", "watch"}
	}
	return k.AllVerbs()
}

func resource(k *catalog.Kind, gv schema.GroupVersion) apidiscoveryv2.APIResourceDiscovery {
	r := apidiscoveryv2.APIResourceDiscovery{
		Resource:         k.Resource,
		ResponseKind:     &metav1.GroupVersionKind{Kind: k.Kind},
		Scope:            apidiscoveryv2.ScopeCluster,
		SingularResource: k.Singular,
		Verbs:            verbs(k),
		ShortNames:       k.ShortNames,
		Categories:       k.Categories,
	}
	if k.Namespaced {
		r.Scope = apidiscoveryv2.ScopeNamespace
	}
	here := gv
	if k.Custom != nil { // of which upstream says in full what comes
		r.ResponseKind, here = &metav1.GroupVersionKind{Group: k.Group, Version: k.Version, Kind: k.Kind}, schema.GroupVersion{}
	}
	for _, s := range k.Subresources {
		sub := apidiscoveryv2.APISubresourceDiscovery{
			Subresource: s.Name, ResponseKind: &metav1.GroupVersionKind{Kind: s.Kind.Kind}, Verbs: s.Verbs,
		}
		if s.Kind.GroupVersion() != here {
			sub.ResponseKind.Group, sub.ResponseKind.Version = s.Kind.Group, s.Kind.Version
		}
		r.Subresources = append(r.Subresources, sub)
	}
	if k.Custom != nil {
		return r // as its definition has them
	}
	slices.SortStableFunc(r.Subresources, func(a, b apidiscoveryv2.APISubresourceDiscovery) int {
		return strings.Compare(a.Subresource, b.Subresource)
	})
	return r
}

func groupNames(kinds []*catalog.Kind) []string {
	var names []string
	for _, k := range kinds {
		if !slices.Contains(names, k.Group) {
			names = append(names, k.Group)
		}
	}
	return names
}

func versions(kinds []*catalog.Kind, group string) []string {
	var vs []string
	for _, k := range kinds {
		if k.Group == group && !slices.Contains(vs, k.Version) {
			vs = append(vs, k.Version)
		}
	}
	return vs
}

func of(kinds []*catalog.Kind, gv schema.GroupVersion) []*catalog.Kind {
	var out []*catalog.Kind
	for _, k := range kinds {
		if k.GroupVersion() == gv {
			out = append(out, k)
		}
	}
	return out
}

// kept is the form that upstream keeps a kind in, which is not always one that is served.
func kept(gvk schema.GroupVersionKind) schema.GroupVersionKind {
	switch gvk.GroupKind().String() {
	case "CustomResourceDefinition.apiextensions.k8s.io", "ClusterTrustBundle.certificates.k8s.io", "PodCertificateRequest.certificates.k8s.io",
		"StorageVersionMigration.storagemigration.k8s.io":
		gvk.Version = "v1beta1"
	case "DeviceTaintRule.resource.k8s.io":
		gvk.Version = "v1beta2"
	case "HorizontalPodAutoscaler.autoscaling":
		gvk.Version = "v2"
	case "Event.events.k8s.io":
		gvk.Group = ""
	}
	return gvk
}

// storageVersionHash lets clients see when the stored form of a kind changes.
// Source: k8s.io/apiserver/pkg/endpoints/discovery/storageversionhash.go.
func storageVersionHash(gvk schema.GroupVersionKind) string {
	sum := sha256.Sum256([]byte(gvk.Group + "/" + gvk.Version + "/" + gvk.Kind))
	return base64.StdEncoding.EncodeToString(sum[:8])
}

// ETag names a document's content, quoted as in the header.
func ETag(document any) (string, error) {
	b, err := json.Marshal(document)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%q", fmt.Sprintf("%X", sha512.Sum512(b))), nil
}
