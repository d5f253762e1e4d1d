package e2e

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// doubling are operations each of which makes what is at a path twice as large.
func doubling(path string) string {
	var b strings.Builder
	for i := range 8 {
		fmt.Fprintf(&b, `,{"op":"copy","from":%q,"path":"%s/c%d"}`, path, path, i)
	}
	return b.String()
}

// A patch of some hundred bytes would otherwise take any amount of memory.
func TestAttack_PatchThatCopies(t *testing.T) {
	s := newServer(t)
	if err := s.up("--nodes=0"); err != nil {
		t.Fatal(err)
	}
	client := kubernetes.NewForConfigOrDie(s.client(t)).CoreV1().ConfigMaps("default")
	if _, err := client.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "copied"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	patch := `[{"op":"add","path":"/metadata/a","value":{"b":"` + strings.Repeat("x", 100000) + `"}}` + doubling("/metadata/a") + `]`
	if _, err := client.Patch(t.Context(), "copied", types.JSONPatchType, []byte(patch), metav1.PatchOptions{}); !apierrors.IsInvalid(err) {
		t.Errorf("got %.300v", err)
	}
}
