package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// TestConflicts lets many write one object at the same time. Whoever does not say which version they change never hears of
// the others, and loses nothing; of those that name one version, one wins.
func TestConflicts(t *testing.T) {
	s := newServer(t)
	if err := s.up("--nodes=0"); err != nil {
		t.Fatal(err)
	}
	config := s.client(t)
	config.QPS = -1
	maps := kubernetes.NewForConfigOrDie(config).CoreV1().ConfigMaps("default")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	const writers = 40

	// all runs write once for each writer, and returns their errors.
	all := func(write func(i int) error) []error {
		errs := make([]error, writers)
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() { errs[i] = write(i) })
		}
		wg.Wait()
		return errs
	}
	for name, patch := range map[string]struct {
		kind types.PatchType
		text string
	}{
		"json":      {types.JSONPatchType, `[{"op":"add","path":"/data/k%d","value":"v"}]`},
		"merge":     {types.MergePatchType, `{"data":{"k%d":"v"}}`},
		"strategic": {types.StrategicMergePatchType, `{"data":{"k%d":"v"}}`},
		"apply":     {types.ApplyPatchType, `{"apiVersion":"v1","kind":"ConfigMap","data":{"k%d":"v"}}`},
	} {
		t.Run("patches of type "+name+" all count", func(t *testing.T) {
			if _, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"a": "b"}}, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			for _, err := range all(func(i int) error {
				_, err := maps.Patch(ctx, name, patch.kind, fmt.Appendf(nil, patch.text, i), metav1.PatchOptions{FieldManager: fmt.Sprintf("writer-%d", i)})
				return err
			}) {
				if err != nil {
					t.Error(err)
				}
			}
			got, err := maps.Get(ctx, name, metav1.GetOptions{})
			if err != nil || len(got.Data) != writers+1 {
				t.Errorf("%d keys are there of %d (%v)", len(got.Data), writers+1, err)
			}
		})
	}
	t.Run("of updates from one version one wins", func(t *testing.T) {
		made, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "put"}}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		won := 0
		for _, err := range all(func(i int) error {
			mine := made.DeepCopy()
			mine.Data = map[string]string{"winner": fmt.Sprint(i)}
			_, err := maps.Update(ctx, mine, metav1.UpdateOptions{})
			return err
		}) {
			switch {
			case err == nil:
				won++
			case !apierrors.IsConflict(err):
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d won", won)
		}
	})
	t.Run("and of patches that name one version", func(t *testing.T) {
		made, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "named"}}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		won := 0
		for _, err := range all(func(i int) error {
			text := fmt.Appendf(nil, `{"metadata":{"resourceVersion":%q},"data":{"winner":"%d"}}`, made.ResourceVersion, i)
			_, err := maps.Patch(ctx, "named", types.MergePatchType, text, metav1.PatchOptions{})
			return err
		}) {
			switch {
			case err == nil:
				won++
			case !apierrors.IsConflict(err):
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d won", won)
		}
	})
}
