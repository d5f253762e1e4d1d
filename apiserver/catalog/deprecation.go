package catalog

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Deprecation is the warning that goes with every answer about the kind, or "" for kinds that are there to stay.
func (k *Kind) Deprecation() string {
	if k.Custom != nil {
		return k.Custom.Deprecation
	}
	obj := k.New()
	deprecated, ok := obj.(interface{ APILifecycleDeprecated() (major, minor int) })
	if !ok {
		return ""
	}
	major, minor := deprecated.APILifecycleDeprecated()
	text := fmt.Sprintf("%s %s is deprecated in v%d.%d+", k.GroupVersion(), k.Kind, major, minor)
	if r, ok := obj.(interface {
		APILifecycleReplacement() schema.GroupVersionKind
	}); ok {
		other := r.APILifecycleReplacement()
		text += fmt.Sprintf("; use %s %s", other.GroupVersion(), other.Kind)
	}
	return text
}
