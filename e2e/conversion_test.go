package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// converter turns spec.host and spec.port of v1 into spec.address of v2, and back, until it is broken.
type converter struct{ broken atomic.Bool }

func (c *converter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var review apiextensionsv1.ConversionReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil || c.broken.Load() {
		http.Error(w, "out of order", http.StatusInternalServerError)
		return
	}
	review.Response = &apiextensionsv1.ConversionResponse{UID: review.Request.UID, Result: metav1.Status{Status: metav1.StatusSuccess}}
	for _, raw := range review.Request.Objects {
		u := &unstructured.Unstructured{}
		if err := u.UnmarshalJSON(raw.Raw); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		spec, _, _ := unstructured.NestedStringMap(u.Object, "spec")
		if host, ok := spec["host"]; ok {
			u.Object["spec"] = map[string]any{"address": host + ":" + spec["port"]}
		} else if host, port, ok := strings.Cut(spec["address"], ":"); ok {
			u.Object["spec"] = map[string]any{"host": host, "port": port}
		}
		u.SetAPIVersion(review.Request.DesiredAPIVersion)
		review.Response.ConvertedObjects = append(review.Response.ConvertedObjects, runtime.RawExtension{Object: u})
	}
	review.Request = nil
	json.NewEncoder(w).Encode(&review)
}

// TestCustomResources_ConvertedByWebhook reads and writes objects in a version that they are not kept in.
func TestCustomResources_ConvertedByWebhook(t *testing.T) {
	c := &converter{}
	hook := httptest.NewTLSServer(c)
	defer hook.Close()
	s := newServer(t)
	if err := s.up("--nodes=0"); err != nil {
		t.Fatal(err)
	}
	client := dynamic.NewForConfigOrDie(s.client(t))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	version := func(name string, storage bool, fields ...string) map[string]any {
		properties := map[string]any{}
		for _, f := range fields {
			properties[f] = map[string]any{"type": "string"}
		}
		spec := map[string]any{"type": "object", "properties": properties, "required": []any{fields[0]}}
		return map[string]any{"name": name, "served": true, "storage": storage, "schema": map[string]any{"openAPIV3Schema": map[string]any{
			"type": "object", "properties": map[string]any{"spec": spec},
		}}}
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: hook.Certificate().Raw})
	definition := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": "doors.example.com"},
		"spec": map[string]any{
			"group": "example.com", "scope": "Namespaced", "names": map[string]any{"plural": "doors", "kind": "Door"},
			"versions": []any{version("v1", true, "host", "port"), version("v2", false, "address")},
			"conversion": map[string]any{"strategy": "Webhook", "webhook": map[string]any{
				"conversionReviewVersions": []any{"v1"},
				"clientConfig":             map[string]any{"url": hook.URL, "caBundle": base64.StdEncoding.EncodeToString(ca)},
			}},
		},
	}}
	if _, err := client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}).Create(ctx, definition, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	doors := func(v string) dynamic.ResourceInterface {
		return client.Resource(schema.GroupVersionResource{Group: "example.com", Version: v, Resource: "doors"}).Namespace("default")
	}
	door := func(v, name string, spec map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "example.com/" + v, "kind": "Door", "metadata": map[string]any{"name": name}, "spec": spec}}
	}
	is := func(got *unstructured.Unstructured, err error, field, want string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if value, _, _ := unstructured.NestedString(got.Object, "spec", field); value != want {
			t.Errorf("spec.%s is %q, want %q: %v", field, value, want, got.Object)
		}
	}

	if _, err := doors("v1").Create(ctx, door("v1", "a", map[string]any{"host": "h", "port": "80"}), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	got, err := doors("v2").Get(ctx, "a", metav1.GetOptions{})
	is(got, err, "address", "h:80")
	got, err = doors("v2").Create(ctx, door("v2", "b", map[string]any{"address": "i:81"}), metav1.CreateOptions{})
	is(got, err, "address", "i:81")
	got, err = doors("v1").Get(ctx, "b", metav1.GetOptions{})
	is(got, err, "port", "81")
	got, err = doors("v2").Patch(ctx, "a", types.MergePatchType, []byte(`{"spec":{"address":"j:82"}}`), metav1.PatchOptions{})
	is(got, err, "address", "j:82")
	got, err = doors("v1").Get(ctx, "a", metav1.GetOptions{})
	is(got, err, "host", "j")

	// What one applies in the new version conflicts with what another has applied in the old one.
	applied := func(v, manager string, spec map[string]any) error {
		_, err := doors(v).Apply(ctx, "c", door(v, "c", spec), metav1.ApplyOptions{FieldManager: manager})
		return err
	}
	if err := applied("v2", "one", map[string]any{"address": "k:83"}); err != nil {
		t.Fatal(err)
	}
	if err := applied("v2", "two", map[string]any{"address": "k:84"}); err == nil || !strings.Contains(err.Error(), `conflict with "one": .spec.address`) {
		t.Errorf("applied over another's field: %v", err)
	}

	// A watch that began in the new version tells of a change in the old one.
	list, err := doors("v2").List(ctx, metav1.ListOptions{})
	if err != nil || len(list.Items) != 3 {
		t.Fatal(len(list.Items), err)
	}
	w, err := doors("v2").Watch(ctx, metav1.ListOptions{ResourceVersion: list.GetResourceVersion()})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	if _, err := doors("v1").Patch(ctx, "a", types.MergePatchType, []byte(`{"spec":{"port":"90"}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	event := <-w.ResultChan()
	changed, ok := event.Object.(*unstructured.Unstructured)
	if !ok {
		t.Fatalf("%s %v", event.Type, event.Object)
	}
	is(changed, nil, "address", "j:90")

	// Without the webhook, the version that objects are kept in is served on.
	c.broken.Store(true)
	got, err = doors("v1").Get(ctx, "a", metav1.GetOptions{})
	is(got, err, "port", "90")
	if _, err := doors("v2").Get(ctx, "a", metav1.GetOptions{}); err == nil || !strings.Contains(err.Error(), "conversion webhook for example.com/v1, Kind=Door failed") {
		t.Errorf("read through a broken webhook: %v", err)
	}
}
