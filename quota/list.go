package quota

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Add is the sum of two lists.
func Add(a, b corev1.ResourceList) corev1.ResourceList {
	sum := maps.Clone(a)
	if sum == nil {
		sum = corev1.ResourceList{}
	}
	for name, quantity := range b {
		total := sum[name].DeepCopy()
		if _, ok := sum[name]; !ok {
			total = resource.Quantity{Format: quantity.Format}
		}
		total.Add(quantity)
		sum[name] = total
	}
	return sum
}

// Growth is what b takes more than a.
func Growth(a, b corev1.ResourceList) corev1.ResourceList {
	growth := corev1.ResourceList{}
	for name, quantity := range b {
		more := quantity.DeepCopy()
		more.Sub(a[name])
		if more.Sign() > 0 {
			growth[name] = more
		}
	}
	return growth
}

// Only keeps those that keep says.
func Only(list corev1.ResourceList, keep func(corev1.ResourceName) bool) corev1.ResourceList {
	kept := maps.Clone(list)
	maps.DeleteFunc(kept, func(name corev1.ResourceName, _ resource.Quantity) bool { return !keep(name) })
	return kept
}

// Exceeded are the names of which used is more than hard.
func Exceeded(used, hard corev1.ResourceList) []corev1.ResourceName {
	var names []corev1.ResourceName
	for name, limit := range hard {
		if n, ok := used[name]; ok && n.Cmp(limit) > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Equal tells whether two lists say the same.
func Equal(a, b corev1.ResourceList) bool {
	return maps.EqualFunc(a, b, func(x, y resource.Quantity) bool { return x.Cmp(y) == 0 })
}

// String writes a list as messages do: pods=1,requests.cpu=100m.
func String(list corev1.ResourceList) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(list)) {
		quantity := list[name]
		parts = append(parts, string(name)+"="+quantity.String())
	}
	return strings.Join(parts, ",")
}
