package garbage

import (
	"errors"
	"slices"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
)

// resource is where objects of one kind are served.
type resource struct {
	gvr        schema.GroupVersionResource
	kind       schema.GroupKind
	namespaced bool
	// watched: its objects can be listed, watched and deleted, so that they can be garbage.
	watched bool
}

// ignored are resources whose objects come and go so often, and own so little, that nobody looks.
var ignored = []schema.GroupResource{{Resource: "events"}, {Group: "events.k8s.io", Resource: "events"}}

// catalog is what discovery told last.
type catalog struct {
	mu     sync.RWMutex // guards byKind
	byKind map[schema.GroupKind]resource
}

// find returns where kind is served, and whether it is.
func (c *catalog) find(kind schema.GroupKind) (resource, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	r, ok := c.byKind[kind]
	return r, ok
}

// update takes over what discovery tells and returns the resources to watch. Of groups that discovery could not
// reach, it keeps what it knew.
func (c *catalog) update(lists []*metav1.APIResourceList, discoveryErr error) []resource {
	byKind := map[schema.GroupKind]resource{}
	for _, list := range lists {
		groupVersion, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		for _, r := range list.APIResources {
			if strings.Contains(r.Name, "/") || !slices.Contains(r.Verbs, "get") {
				continue
			}
			kind := schema.GroupKind{Group: groupVersion.Group, Kind: r.Kind}
			gvr := groupVersion.WithResource(r.Name)
			byKind[kind] = resource{
				gvr:        gvr,
				kind:       kind,
				namespaced: r.Namespaced,
				watched: (discovery.SupportsAllVerbs{Verbs: []string{"delete", "list", "watch"}}).Match(list.GroupVersion, &r) &&
					!slices.Contains(ignored, gvr.GroupResource()),
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if failed, ok := errors.AsType[*discovery.ErrGroupDiscoveryFailed](discoveryErr); ok {
		for kind, r := range c.byKind {
			if _, known := byKind[kind]; !known && failed.Groups[r.gvr.GroupVersion()] != nil {
				byKind[kind] = r
			}
		}
	}
	c.byKind = byKind
	var watched []resource
	for _, r := range byKind {
		if r.watched {
			watched = append(watched, r)
		}
	}
	return watched
}
