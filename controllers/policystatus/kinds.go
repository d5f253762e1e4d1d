package policystatus

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/cel"
	celopenapi "k8s.io/apiserver/pkg/cel/openapi"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// maxKinds is after how many kinds of one rule no more are looked for.
const maxKinds = 10

// kinds are what the API serves at one moment.
type kinds struct {
	server    Server
	resources []*metav1.APIResourceList
	schemas   map[schema.GroupVersion]schemas // of the versions that were asked for
	log       *slog.Logger
}

func (c *Controller) kinds() (*kinds, error) {
	_, resources, err := c.served.ServerGroupsAndResources()
	if resources == nil {
		return nil, fmt.Errorf("discover what is served: %w", err)
	}
	return &kinds{c.server, resources, map[schema.GroupVersion]schemas{}, c.log}, nil
}

// named returns the kinds that rules name, in the order of groups, versions and kinds. A rule with a star for a group or version
// names none, nor does one for all resources or for subresources.
func (k *kinds) named(m *admissionregistrationv1.MatchResources) []schema.GroupVersionKind {
	if m == nil {
		return nil
	}
	found := map[string]schema.GroupVersionKind{}
rules:
	for _, rule := range m.ResourceRules {
		if slices.ContainsFunc(rule.APIGroups, starred) || slices.ContainsFunc(rule.APIVersions, starred) {
			continue
		}
		n := 0
		for _, group := range slices.Sorted(slices.Values(rule.APIGroups)) {
			for _, version := range slices.Sorted(slices.Values(rule.APIVersions)) {
				for _, resource := range slices.Sorted(slices.Values(rule.Resources)) {
					for _, kind := range k.of(group, version, resource) {
						found[strings.Join([]string{kind.Group, kind.Version, kind.Kind}, "\x00")] = kind
						if n++; n == maxKinds {
							break rules
						}
					}
				}
			}
		}
	}
	var out []schema.GroupVersionKind
	for _, key := range slices.Sorted(maps.Keys(found)) {
		out = append(out, found[key])
	}
	return out
}

// of returns the kinds of a resource. The core group, which has no name, is any group: so upstream's RESTMapper has it, to which
// v1 events are those of either group.
func (k *kinds) of(group, version, resource string) (kinds []schema.GroupVersionKind) {
	if strings.ContainsAny(resource, "*/") {
		return nil
	}
	resource = strings.ToLower(resource)
	for _, list := range k.resources {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil || gv.Version != version || group != "" && gv.Group != group {
			continue
		}
		for _, r := range list.APIResources {
			if !strings.Contains(r.Name, "/") && (r.Name == resource || r.SingularName == resource) {
				kinds = append(kinds, gv.WithKind(r.Kind))
			}
		}
	}
	return kinds
}

func starred(s string) bool { return strings.Contains(s, "*") }

// declaration returns the type of a kind for CEL, nil if its schema is not known. The type is called like the kind, with a number
// behind it, so that the types of object and parameter differ where their kinds do not.
func (k *kinds) declaration(ctx context.Context, kind schema.GroupVersionKind, which string) *cel.DeclType {
	s, err := k.schema(ctx, kind)
	if err != nil {
		k.log.Debug("the types of a policy are checked without a kind whose schema is not known", "kind", kind, "err", err)
		return nil
	}
	declared := celopenapi.SchemaDeclType(s, true)
	if declared == nil {
		return nil
	}
	return declared.MaybeAssignTypeName(kind.Kind + which)
}

// schema returns the schema of a kind, with what it refers to filled in.
func (k *kinds) schema(ctx context.Context, kind schema.GroupVersionKind) (*spec.Schema, error) {
	gv := kind.GroupVersion()
	if k.schemas[gv] == nil {
		path := "/openapi/v3/apis/" + gv.String()
		if gv.Group == "" {
			path = "/openapi/v3/api/" + gv.Version
		}
		text, err := k.server.Get(ctx, path)
		if err != nil {
			return nil, err
		}
		if k.schemas[gv], err = readSchemas(text); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
	}
	return k.schemas[gv].of(kind)
}
