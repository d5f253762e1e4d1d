package policy

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"coracle/apiserver/catalog"
)

// mergeTyped merges by the kind's schema.
// Source: k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch.ApplyStructuredMergeDiff.
func mergeTyped(wanted *unstructured.Unstructured, obj runtime.Object, k *catalog.Kind, types Types) (runtime.Object, error) {
	converter, err := types.Converter(k)
	if err != nil {
		return nil, err
	}
	change, err := converter.ObjectToTyped(wanted)
	if err != nil {
		return nil, fmt.Errorf("failed to convert patch object to typed object: %w", err)
	}
	if atomics := findAtomics(nil, change.Schema(), change.TypeRef(), change.AsValue()); len(atomics) > 0 {
		return nil, fmt.Errorf("invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: %s", strings.Join(atomics, ", "))
	}
	live, err := converter.ObjectToTyped(obj, typed.AllowDuplicates)
	if err != nil {
		return nil, fmt.Errorf("failed to convert original object to typed object: %w", err)
	}
	merged, err := live.Merge(change)
	if err != nil {
		return nil, fmt.Errorf("failed to merge patch: %w", err)
	}
	return converter.TypedToObject(merged)
}

// findAtomics returns the paths of what can only be replaced as a whole: whoever sets a part of it would lose the rest.
func findAtomics(path fieldpath.Path, s *schema.Schema, ref schema.TypeRef, v value.Value) (atomics []string) {
	t, ok := s.Resolve(ref)
	if !ok {
		return nil
	}
	if v.IsMap() && t.Map != nil {
		if t.Map.ElementRelationship == schema.Atomic {
			atomics = append(atomics, path.String())
		}
		v.AsMap().Iterate(func(key string, member value.Value) bool {
			if f, ok := t.Map.FindField(key); ok {
				atomics = append(atomics, findAtomics(append(path[:len(path):len(path)], fieldpath.PathElement{FieldName: &key}), s, f.Type, member)...)
			}
			return true
		})
	}
	if v.IsList() && t.List != nil {
		if t.List.ElementRelationship == schema.Atomic {
			atomics = append(atomics, path.String())
		}
		list := v.AsList()
		for i := range list.Length() {
			atomics = append(atomics, findAtomics(append(path[:len(path):len(path)], fieldpath.PathElement{Index: &i}), s, t.List.ElementType, list.At(i))...)
		}
	}
	return atomics
}
