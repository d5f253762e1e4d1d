package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
)

// TestCustomResources_ByDynamicInformer follows objects of a kind that appears while the server runs, in two versions,
// and across a change of the definition, which ends the watches.
func TestCustomResources_ByDynamicInformer(t *testing.T) {
	s := newServer(t)
	if err := s.up("--nodes=0"); err != nil {
		t.Fatal(err)
	}
	client := dynamic.NewForConfigOrDie(s.client(t))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()

	definitions := client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	version := func(name string, storage bool) map[string]any {
		return map[string]any{"name": name, "served": true, "storage": storage, "schema": map[string]any{"openAPIV3Schema": map[string]any{
			"type": "object", "x-kubernetes-preserve-unknown-fields": true,
		}}}
	}
	definition := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": "boats.example.com"},
		"spec": map[string]any{
			"group": "example.com", "scope": "Namespaced", "names": map[string]any{"plural": "boats", "kind": "Boat"},
			"versions": []any{version("v1", true), version("v2", false)},
		},
	}}
	definition, err := definitions.Create(ctx, definition, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	boats := func(v string) dynamic.ResourceInterface {
		return client.Resource(schema.GroupVersionResource{Group: "example.com", Version: v, Resource: "boats"}).Namespace("default")
	}
	create := func(n int) {
		t.Helper()
		boat := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "example.com/v1", "kind": "Boat", "metadata": map[string]any{"name": fmt.Sprint("boat-", n)}}}
		if _, err := boats("v1").Create(ctx, boat, metav1.CreateOptions{}); err != nil {
			t.Fatal(err) // at once: nobody has waited for the definition
		}
	}
	create(1)

	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(client, 0, "default", nil)
	seen := make(chan string, 100)
	informer := factory.ForResource(schema.GroupVersionResource{Group: "example.com", Version: "v2", Resource: "boats"}).Informer()
	informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { u := obj.(*unstructured.Unstructured); seen <- u.GetAPIVersion() + " " + u.GetName() },
		DeleteFunc: func(obj any) { seen <- "gone" },
	})
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	defer cancel()
	next := func(want string) {
		t.Helper()
		select {
		case got := <-seen:
			if got != want {
				t.Fatalf("the informer was told of %q, want %q", got, want)
			}
		case <-time.After(patience):
			t.Fatalf("the informer was not told of %q", want)
		}
	}
	next("example.com/v2 boat-1")
	create(2)
	next("example.com/v2 boat-2")

	if err := unstructured.SetNestedStringSlice(definition.Object, []string{"bt"}, "spec", "names", "shortNames"); err != nil {
		t.Fatal(err)
	}
	if _, err := definitions.Update(ctx, definition, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	create(3)
	next("example.com/v2 boat-3")

	if err := definitions.Delete(ctx, "boats.example.com", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		next("gone")
	}
}
