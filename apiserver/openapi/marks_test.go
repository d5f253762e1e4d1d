package openapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"coracle/apiserver/catalog"
	"coracle/apiserver/openapi"
)

// What `kubectl explain` and clients that check objects rely on, and Go's types do not say.
func TestSchemasSayWhatUpstreamsTypesAreMarkedWith(t *testing.T) {
	type words struct {
		Enum     []any            `json:"enum"`
		Required []string         `json:"required"`
		OneOf    []map[string]any `json:"oneOf"`
		Ref      string           `json:"$ref"`
		List     string           `json:"x-kubernetes-list-type"`
		Keys     []string         `json:"x-kubernetes-list-map-keys"`
		Map      string           `json:"x-kubernetes-map-type"`
		Default  any              `json:"default"`
	}
	type schema struct {
		words
		Properties map[string]struct {
			words
			Items *words
		}
	}
	service := openapi.New(catalog.New(catalog.Builtin()), "1.37")
	w := httptest.NewRecorder()
	if found, err := service.Chapter(w, httptest.NewRequest(http.MethodGet, "/", nil), "api/v1"); !found || err != nil {
		t.Fatal(found, err)
	}
	var doc struct {
		Components struct{ Schemas map[string]schema }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	const core = "io.k8s.api.core.v1."
	of := func(name string) schema { return doc.Components.Schemas[name] }
	for name, test := range map[string]struct{ got, want any }{
		"values":                {of(core + "PodSpec").Properties["restartPolicy"].Enum, []any{"Always", "Never", "OnFailure"}},
		"values of items":       {of(core + "PersistentVolumeClaimSpec").Properties["accessModes"].Items.Enum, []any{"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"}},
		"both keys of a port":   {of(core + "Container").Properties["ports"].Keys, []string{"containerPort", "protocol"}},
		"a set":                 {of(core + "ContainerRestartRuleOnExitCodes").Properties["values"].List, "set"},
		"a list of its own":     {of(core + "Container").Properties["command"].List, "atomic"},
		"the items of a list":   {of(core + "PodList").Properties["items"].List, ""},
		"a map that is one":     {of(core + "ConfigMapKeySelector").Map, "atomic"},
		"what must be there":    {of(core + "GRPCAction").Required, []string{"port"}},
		"what is there anyhow":  {of(core + "ISCSIVolumeSource").Properties["iscsiInterface"].Default, "default"},
		"texts and numbers":     {of("io.k8s.apimachinery.pkg.api.resource.Quantity").OneOf, []map[string]any{{"type": "string"}, {"type": "number"}}},
		"items by reference":    {of(core + "PodList").Properties["items"].Items.Ref, "#/components/schemas/" + core + "Pod"},
		"and without a default": {of(core + "Container").Properties["command"].Items.Default, nil},
	} {
		if diff := cmp.Diff(test.want, test.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
