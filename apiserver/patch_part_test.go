package apiserver

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"coracle/apiserver/catalog"
	"coracle/apiserver/wire"
)

// A patch that is applied to the members it names gives what it gives applied to the whole.
func TestPatchPart(t *testing.T) {
	scheme, err := wire.NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	c := &call{Server: &Server{Config: Config{Codec: wire.NewCodec(scheme)}}}
	for _, k := range catalog.Builtin() {
		if k.Resource == "pods" {
			c.kind = k
		}
	}
	old := &corev1.Pod{}
	old.SetGroupVersionKind(c.kind.GroupVersionKind)
	old.Name, old.UID, old.ResourceVersion = "web", "u", "7"
	old.Labels = map[string]string{"app": "web", "tier": "front"}
	old.Spec.Containers = []corev1.Container{{Name: "a", Image: "one"}, {Name: "b", Image: "two"}}
	old.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: new(int64(5)), RunAsNonRoot: new(true)}
	old.Spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{}, PodAntiAffinity: &corev1.PodAntiAffinity{}}
	old.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "somebody"}}
	old.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
	before, err := json.Marshal(old)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		patch string
		whole bool // it has to be applied to the whole
		only  types.PatchType
	}{
		"nothing":                  {patch: `{}`},
		"a label":                  {patch: `{"metadata":{"labels":{"more":"yes","tier":null}}}`},
		"all labels":               {patch: `{"metadata":{"labels":null}}`},
		"an item by its key":       {patch: `{"spec":{"containers":[{"name":"b","image":"three"}]}}`},
		"the items' order":         {patch: `{"spec":{"$setElementOrder/containers":[{"name":"b"},{"name":"a"}]}}`, only: types.StrategicMergePatchType},
		"a status":                 {patch: `{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}`},
		"two members, one of them": {patch: `{"metadata":{"annotations":{"a":"b"}},"status":null}`},
		"nothing of metadata":      {patch: `{"metadata":{}}`},
		"no metadata":              {patch: `{"metadata":null}`},
		"a struct that is there":   {patch: `{"spec":{"securityContext":{"runAsUser":7,"runAsGroup":null}}}`},
		"all that is in it":        {patch: `{"spec":{"securityContext":{"runAsUser":null}}}`},
		"all of it":                {patch: `{"spec":{"securityContext":null}}`},
		"a struct that is not":     {patch: `{"spec":{"dnsConfig":{"searches":["a"]}}}`},
		"an empty struct":          {patch: `{"spec":{"dnsConfig":{}}}`},
		"a struct in a struct":     {patch: `{"spec":{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[]}},"podAffinity":{}}}}`},
		"a directive in a struct":  {patch: `{"spec":{"securityContext":{"$patch":"replace","runAsUser":7}}}`, only: types.StrategicMergePatchType},
		"owners":                   {patch: `{"metadata":{"managedFields":null}}`},
		"a directive on top":       {patch: `{"$patch":"replace","metadata":{"name":"web"}}`, whole: true},
		"another kind":             {patch: `{"kind":"Node"}`, whole: true},
		"an unknown field":         {patch: `{"spec":{"colour":"blue"}}`, whole: true},
		"the wrong type":           {patch: `{"spec":7}`, whole: true},
		"no object":                {patch: `null`, whole: true},
	} {
		for _, kind := range []types.PatchType{types.MergePatchType, types.StrategicMergePatchType} {
			if test.only != "" && test.only != kind {
				continue
			}
			t.Run(name+" as "+string(kind), func(t *testing.T) {
				apply, _, err := patcherFor(kind, []byte(test.patch), c.kind.New(), wire.Warn)
				if err != nil {
					t.Fatal(err)
				}
				shared := old.DeepCopy()
				got, ok := c.patchPart(shared, before, []byte(test.patch), kind, apply)
				if ok == test.whole {
					t.Fatalf("applied to a part: %t", ok)
				}
				if !ok {
					return
				}
				after, err := apply(before)
				if err != nil {
					t.Fatal(err)
				}
				want := c.kind.New()
				if err := c.Codec.Unmarshal(after, want); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-whole +part):\n%s", diff)
				}
				got.(*corev1.Pod).Spec.Containers[0].Image = "changed" // as defaults and admission may
				if !reflect.DeepEqual(shared, old) {
					t.Error("the old object is shared, and was changed")
				}
			})
		}
	}
	if _, ok := c.patchPart(old, before, []byte(`[]`), types.JSONPatchType, nil); ok {
		t.Error("a JSON patch names paths, and was taken for one that names members")
	}
}

// What a part is put back into has a name for every member.
func TestPatchPart_MembersHaveNames(t *testing.T) {
	for _, k := range catalog.Builtin() {
		object := reflect.TypeOf(k.New()).Elem()
		for i := range object.NumField() {
			f := object.Field(i)
			if key, _, _ := strings.Cut(f.Tag.Get("json"), ","); key == "" && f.Name != "TypeMeta" {
				t.Errorf("%s: %s has no name of its own in JSON", k.Qualified(), f.Name)
			}
		}
	}
}
