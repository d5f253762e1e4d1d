package apiserver

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"coracle/apiserver/wire"
)

// Patches of the size that is let in would be applied for minutes; those that people send are far from it.
func TestAttack_PatchesThatTakeLong(t *testing.T) {
	list := func(n int, item string) string {
		items := make([]string, n)
		for i := range items {
			items[i] = strings.ReplaceAll(item, "#", fmt.Sprint(i))
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	operations := func(first string, n int, next string) string {
		return "[" + first + "," + strings.Trim(list(n, next), "[]") + "]"
	}
	const insert, removal, text = `{"op":"add","path":"/metadata/finalizers/0","value":"a.io/#"}`, `{"op":"remove","path":"/metadata/finalizers/0"}`, `{"op":"add","path":"/metadata/labels/k#","value":"[,,,]"}`
	finalizers := func(n int) string {
		return `{"op":"add","path":"/metadata/finalizers","value":` + list(n, `"a.io/#"`) + `}`
	}
	for _, c := range []struct {
		name    string
		kind    types.PatchType
		patch   string
		refused bool
	}{
		{name: "inserting into a long list", kind: types.JSONPatchType, patch: operations(finalizers(20000), 9000, insert), refused: true},
		{name: "removing from a long list", kind: types.JSONPatchType, patch: operations(finalizers(20000), 9000, removal), refused: true},
		{name: "inserting some", kind: types.JSONPatchType, patch: operations(finalizers(20000), 100, insert)},
		{name: "inserting many into a short list", kind: types.JSONPatchType, patch: operations(finalizers(1), 9000, insert)},
		{name: "many operations on no list", kind: types.JSONPatchType, patch: operations(`{"op":"add","path":"/metadata/labels","value":{}}`, 9000, text)},
		{name: "deep below deep", kind: types.MergePatchType, patch: `{"x":` + strings.Repeat("[", 9000) + strings.Repeat("1,", 10000) + "1" + strings.Repeat("]", 9000) + "}", refused: true},
		{name: "deep", kind: types.MergePatchType, patch: `{"x":` + strings.Repeat("[", 3000) + strings.Repeat("]", 3000) + "}"},
		{name: "large, and not deep", kind: types.MergePatchType, patch: `{"x":{"y":{"z":` + list(100000, `"[{#"`) + `}}}`},
		{name: "many containers", kind: types.StrategicMergePatchType, patch: `{"spec":{"containers":` + list(5000, `{"name":"c#"}`) + `}}`, refused: true},
		{name: "many variables of a container", kind: types.StrategicMergePatchType, patch: `{"spec":{"containers":[{"name":"c","env":` + list(5000, `{"name":"E#"}`) + `}]}}`, refused: true},
		{name: "many finalizers", kind: types.StrategicMergePatchType, patch: `{"metadata":{"finalizers":` + list(5000, `"a.io/#"`) + `}}`, refused: true},
		{name: "the order of many", kind: types.StrategicMergePatchType, patch: `{"spec":{"$setElementOrder/containers":` + list(5000, `{"name":"c#"}`) + `}}`, refused: true},
		{name: "deleting many", kind: types.StrategicMergePatchType, patch: `{"metadata":{"$deleteFromPrimitiveList/finalizers":` + list(5000, `"a.io/#"`) + `}}`, refused: true},
		{name: "some variables", kind: types.StrategicMergePatchType, patch: `{"spec":{"containers":[{"name":"c","env":` + list(300, `{"name":"E#"}`) + `}]}}`},
		{name: "a long list that is replaced", kind: types.StrategicMergePatchType, patch: `{"spec":{"containers":[{"name":"c","args":` + list(100000, `"#"`) + `}]}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c"}}}}
			before, err := json.Marshal(pod)
			if err != nil {
				t.Fatal(err)
			}
			apply, _, err := patcherFor(c.kind, []byte(c.patch), &corev1.Pod{}, wire.Warn)
			if err == nil {
				_, err = apply(before)
			}
			if apierrors.IsRequestEntityTooLargeError(err) != c.refused || !c.refused && err != nil {
				t.Errorf("got %.300v, want it refused: %v", err, c.refused)
			}
		})
	}
}
