package catalog

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func TestNamesAreJudgedAsUpstreamJudgesThem(t *testing.T) {
	texts := []string{""}
	for last := texts; len(last[0]) < 5; { // all of up to five of these
		var longer []string
		for _, s := range last {
			for _, c := range []string{"a", "0", "Z", "-", ".", "_", "/"} {
				longer = append(longer, s+c)
			}
		}
		texts, last = append(texts, longer...), longer
	}
	for _, n := range []int{15, 16, 62, 63, 64, 252, 253, 254} {
		texts = append(texts, strings.Repeat("a", n), strings.Repeat("a.", n/2)+"a", strings.Repeat("a", n)+"/a", "a/"+strings.Repeat("a", n), strings.Repeat("9", n))
	}
	texts = append(texts, "ä", "a\x00b", "a b", "a\n", "\xff", "example.com/role", "kubernetes.io/metadata.name", "1.2.3", "Helm")
	for _, s := range texts {
		judge(t, s)
	}
}

func TestWildcardsAreJudgedAsUpstreamJudgesThem(t *testing.T) {
	for _, s := range []string{
		"", "*", "*.", "*.a", "*.a.b", "*.a--b", "*a", "a", "a.*", "a.*.b", "*.*.a", "**.a", "*.A", "*.a.", "*.-a", "*..a", "*.a*", " *.a", "*.a\n", "\xff*.a",
		"*." + strings.Repeat("a", 251), "*." + strings.Repeat("a", 252), "*." + strings.Repeat("a.", 300) + "a", "*." + strings.Repeat("A", 300), strings.Repeat("*", 300),
	} {
		if ours, theirs := isWildcardSubdomain(s), validation.IsWildcardDNS1123Subdomain(s); !slices.Equal(ours, theirs) {
			t.Errorf("%q: %q, upstream %q", s, ours, theirs)
		}
	}
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"web-0", "example.com/gpu", "a--b", "a_b", "http", "8080"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { judge(t, s) })
}

func judge(t *testing.T, s string) {
	t.Helper()
	for _, c := range []struct {
		name         string
		ours, theirs func(string) []string
	}{
		{"label", isDNSLabel, validation.IsDNS1123Label},
		{"subdomain", isDNSSubdomain, validation.IsDNS1123Subdomain},
		{"qualified name", isQualifiedName, validation.IsQualifiedName},
		{"value", isLabelValue, validation.IsValidLabelValue},
		{"port", isPortName, validation.IsValidPortName},
	} {
		if ours, theirs := c.ours(s), c.theirs(s); !slices.Equal(ours, theirs) {
			t.Errorf("%q as a %s: %q, upstream %q", s, c.name, ours, theirs)
		}
	}
	for name, rule := range map[string]apivalidation.ValidateNameFunc{
		"subdomain": apivalidation.NameIsDNSSubdomain, "account": apivalidation.ValidateServiceAccountName, "namespace": apivalidation.ValidateNamespaceName,
	} {
		if errs, theirs := objectName(nil, s, rule), rule(s, false); len(errs) != len(theirs) {
			t.Errorf("%q by the rule for a %s: %v, upstream %q", s, name, errs, theirs)
		}
	}
	labels, annotations := map[string]string{s: "v", "k": s}, map[string]string{s: s}
	for name, c := range map[string][2]field.ErrorList{
		"the key of a label": {validateLabelName(s, nil), metav1validation.ValidateLabelName(s, nil)},
		"labels":             {validateLabels(labels, nil), metav1validation.ValidateLabels(labels, nil)},
		"annotations":        {validateAnnotations(annotations, nil), apivalidation.ValidateAnnotations(annotations, nil)},
	} {
		ours, theirs := told(c[0]), told(c[1])
		if !slices.Equal(ours, theirs) {
			t.Errorf("%q in %s: %q, upstream %q", s, name, ours, theirs)
		}
	}
}

// told are the sentences in an order of their own: maps have none.
func told(errs field.ErrorList) []string {
	var texts []string
	for _, e := range errs {
		texts = append(texts, e.Error())
	}
	slices.Sort(texts)
	return texts
}

func TestMetadataIsJudgedAsUpstreamJudgesIt(t *testing.T) {
	shared := metav1.ManagedFieldsEntry{Manager: "kubectl", Operation: "Update", FieldsType: "FieldsV1"}
	entry := func(change func(e *metav1.ManagedFieldsEntry)) func(*metav1.ObjectMeta) {
		return func(m *metav1.ObjectMeta) {
			e := shared
			change(&e)
			m.ManagedFields = []metav1.ManagedFieldsEntry{shared, e}
		}
	}
	for name, change := range map[string]func(m *metav1.ObjectMeta){
		"as it is made":        func(*metav1.ObjectMeta) {},
		"no name":              func(m *metav1.ObjectMeta) { m.Name = "" },
		"a name in capitals":   func(m *metav1.ObjectMeta) { m.Name = "Web" },
		"a drawn name":         func(m *metav1.ObjectMeta) { m.GenerateName = "-web-" },
		"no namespace":         func(m *metav1.ObjectMeta) { m.Namespace = "" },
		"a dotted namespace":   func(m *metav1.ObjectMeta) { m.Namespace = "a.b" },
		"less than no changes": func(m *metav1.ObjectMeta) { m.Generation = -1 },
		"a bad label":          func(m *metav1.ObjectMeta) { m.Labels = map[string]string{"-": ""} },
		"a bad value":          func(m *metav1.ObjectMeta) { m.Labels = map[string]string{"a": "-"} },
		"a bad annotation":     func(m *metav1.ObjectMeta) { m.Annotations = map[string]string{"-": ""} },
		"many annotations":     func(m *metav1.ObjectMeta) { m.Annotations = map[string]string{"a": strings.Repeat("a", 1<<18-1)} },
		"too many":             func(m *metav1.ObjectMeta) { m.Annotations = map[string]string{"a": strings.Repeat("a", 1<<18)} },
		"half an owner":        func(m *metav1.ObjectMeta) { m.OwnerReferences = []metav1.OwnerReference{{Name: "o"}} },
		"a bad finalizer":      func(m *metav1.ObjectMeta) { m.Finalizers = []string{"a b"} },
		"a nameless finalizer": func(m *metav1.ObjectMeta) { m.Finalizers = []string{"a"} },
		"no operation":         entry(func(e *metav1.ManagedFieldsEntry) { e.Operation = "" }),
		"an unknown operation": entry(func(e *metav1.ManagedFieldsEntry) { e.Operation = "Patch" }),
		"an unknown form":      entry(func(e *metav1.ManagedFieldsEntry) { e.FieldsType = "FieldsV2" }),
		"an odd manager":       entry(func(e *metav1.ManagedFieldsEntry) { e.Manager = "a\x00" }),
		"a long manager":       entry(func(e *metav1.ManagedFieldsEntry) { e.Manager = strings.Repeat("a", 129) }),
		"a long subresource":   entry(func(e *metav1.ManagedFieldsEntry) { e.Subresource = strings.Repeat("a", 257) }),
	} {
		t.Run(name, func(t *testing.T) {
			for _, k := range []*Kind{podKind(), nodeKind(), namespaceKind()} {
				m := &metav1.ObjectMeta{Name: "web", Generation: 1, Labels: map[string]string{"app": "web"}, Annotations: map[string]string{"example.com/a": "A b"}}
				if k.Namespaced {
					m.Namespace = "blue"
				}
				change(m)
				want := apivalidation.ValidateObjectMeta(m, k.Namespaced, apivalidation.NameIsDNSSubdomain, field.NewPath("metadata"))
				if k.Strategy.ValidateName != nil {
					want = apivalidation.ValidateObjectMeta(m, k.Namespaced, k.Strategy.ValidateName, field.NewPath("metadata"))
				}
				want = append(want, k.validateFinalizers(m)...)
				if diff := cmp.Diff(told(want), told(k.ValidateMetadata(m))); diff != "" {
					t.Errorf("%s: upstream -, here +:\n%s", k.Resource, diff)
				}
			}
		})
	}
}
