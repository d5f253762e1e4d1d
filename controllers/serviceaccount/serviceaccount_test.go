package serviceaccount_test

import (
	"errors"
	"testing"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"coracle/controllers/looptest"
	"coracle/controllers/serviceaccount"
)

func namespace(name string, phase v1.NamespacePhase) *v1.Namespace {
	return &v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: v1.NamespaceStatus{Phase: phase}}
}

func start(w *looptest.World) {
	w.Start(serviceaccount.New(w.Client, w.Factory, w.Log))
}

func exists(t *testing.T, w *looptest.World, ns string) bool {
	t.Helper()
	_, err := w.Client.CoreV1().ServiceAccounts(ns).Get(w.Context(), "default", metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	return err == nil
}

func TestController(t *testing.T) {
	ctx := t.Context()
	t.Run("a namespace that exists at the start gets its account", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{namespace("blue", v1.NamespaceActive)}, func(t *testing.T, w *looptest.World) {
			start(w)
			if !exists(t, w, "blue") {
				t.Error("no default account in blue")
			}
		})
	})
	t.Run("a new namespace gets its account", func(t *testing.T) {
		looptest.Run(t, nil, func(t *testing.T, w *looptest.World) {
			start(w)
			w.Add(namespace("blue", v1.NamespaceActive))
			w.Settle()
			if !exists(t, w, "blue") {
				t.Error("no default account in blue")
			}
		})
	})
	t.Run("an account that is deleted comes back", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{namespace("blue", v1.NamespaceActive)}, func(t *testing.T, w *looptest.World) {
			start(w)
			if err := w.Client.CoreV1().ServiceAccounts("blue").Delete(ctx, "default", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			w.Settle()
			if !exists(t, w, "blue") {
				t.Error("the default account did not come back")
			}
		})
	})
	t.Run("a terminating namespace gets none", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{namespace("red", v1.NamespaceTerminating)}, func(t *testing.T, w *looptest.World) {
			start(w)
			if exists(t, w, "red") {
				t.Error("an account was created in a namespace that is being deleted")
			}
		})
	})
	t.Run("an API server that fails is asked again", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{namespace("blue", v1.NamespaceActive)}, func(t *testing.T, w *looptest.World) {
			failures := 2
			w.Client.PrependReactor("create", "serviceaccounts", func(clienttesting.Action) (bool, runtime.Object, error) {
				failures--
				return failures >= 0, nil, errors.New("try later")
			})
			start(w)
			if exists(t, w, "blue") {
				t.Fatal("created in spite of the error")
			}
			w.Advance(100e6)
			if !exists(t, w, "blue") {
				t.Error("not tried again")
			}
		})
	})
	t.Run("a namespace that ended meanwhile is no failure", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{namespace("blue", v1.NamespaceActive)}, func(t *testing.T, w *looptest.World) {
			tries := 0
			w.Client.PrependReactor("create", "serviceaccounts", func(clienttesting.Action) (bool, runtime.Object, error) {
				tries++
				err := apierrors.NewForbidden(v1.Resource("serviceaccounts"), "default", errors.New("because it is being terminated"))
				err.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: v1.NamespaceTerminatingCause}}
				return true, nil, err
			})
			start(w)
			w.Advance(60e9)
			if tries != 1 {
				t.Errorf("tried %d times, want 1", tries)
			}
		})
	})
}
