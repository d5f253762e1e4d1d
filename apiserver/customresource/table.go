package customresource

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/jsonpath"

	"coracle/apiserver/catalog"
)

// tableOf prints objects by the definition's columns: the age where it names none. Columns that cannot be read leave
// the name alone, as upstream has it.
// Source: k8s.io/apiextensions-apiserver/pkg/registry/customresource/tableconvertor.
func (v *version) table() catalog.Table {
	doc := metav1.ObjectMeta{}.SwaggerDoc()
	t := catalog.Table{Columns: []metav1.TableColumnDefinition{{Name: "Name", Type: "string", Format: "name", Description: doc["name"]}}}
	wanted := v.AdditionalPrinterColumns
	if len(wanted) == 0 {
		wanted = []apiextensionsv1.CustomResourceColumnDefinition{{
			Name: "Age", Type: "date", Description: doc["creationTimestamp"], JSONPath: ".metadata.creationTimestamp",
		}}
	}
	paths := make([]string, len(wanted))
	for i, col := range wanted {
		if _, err := parse(col.JSONPath); err != nil {
			wanted = wanted[:i]
			break
		}
		paths[i] = col.JSONPath
		description := col.Description
		if description == "" {
			description = "Custom resource definition column (in JSONPath format): " + col.JSONPath
		}
		t.Columns = append(t.Columns, metav1.TableColumnDefinition{
			Name: col.Name, Type: col.Type, Format: col.Format, Description: description, Priority: col.Priority,
		})
	}
	t.Cells = func(obj runtime.Object, now time.Time) []any {
		u, ok := obj.(*unstructured.Unstructured)
		cells := make([]any, 1+len(wanted))
		if !ok {
			return cells
		}
		cells[0] = u.GetName()
		for i, col := range wanted {
			cells[i+1] = cell(u.Object, paths[i], col.Type, now)
		}
		return cells
	}
	return t
}

// parse reads a JSON path. What it returns keeps state while it searches, so each search has its own.
func parse(path string) (*jsonpath.JSONPath, error) {
	p := jsonpath.New("").AllowMissingKeys(true)
	return p, p.Parse("{" + path + "}")
}

// first is the first value that a path leads to, nil for none.
func first(p *jsonpath.JSONPath, object map[string]any) any {
	found, err := p.FindResults(object)
	if err != nil || len(found) == 0 || len(found[0]) == 0 || !found[0][0].IsValid() {
		return nil
	}
	return found[0][0].Interface()
}

// cell is what a column shows of an object, nil where there is nothing of the column's type.
func cell(object map[string]any, path, kind string, now time.Time) any {
	p, err := parse(path)
	if err != nil {
		return nil
	}
	value := first(p, object)
	if value == nil {
		return nil
	}
	if kind == "string" {
		var b bytes.Buffer
		if p.PrintResults(&b, []reflect.Value{reflect.ValueOf(value)}) != nil {
			return nil
		}
		return b.String()
	}
	switch x := value.(type) {
	case int64:
		switch kind {
		case "integer":
			return x
		case "number":
			return float64(x)
		}
	case float64:
		switch kind {
		case "integer":
			return int64(x)
		case "number":
			return x
		}
	case bool:
		if kind == "boolean" {
			return x
		}
	case string:
		if kind == "date" {
			var t metav1.Time
			if t.UnmarshalQueryParameter(x) != nil {
				return "<invalid>"
			}
			return catalog.Age(t, now)
		}
	}
	return nil
}

// selectableFields are the same for documents.
func (v *version) selectableFields() []any {
	var all []any
	for _, f := range v.SelectableFields {
		all = append(all, map[string]any{"fieldPath": strings.TrimPrefix(f.JSONPath, ".")})
	}
	return all
}

// selectable are the fields that the definition lets clients select by.
func (v *version) selectable() (names []string, set func(runtime.Object) fields.Set) {
	if len(v.SelectableFields) == 0 {
		return nil, nil
	}
	for _, f := range v.SelectableFields {
		names = append(names, strings.TrimPrefix(f.JSONPath, "."))
	}
	return names, func(obj runtime.Object) fields.Set {
		out := fields.Set{}
		u, ok := obj.(*unstructured.Unstructured)
		if !ok {
			return out
		}
		for i, f := range v.SelectableFields {
			out[names[i]] = ""
			p, err := parse(f.JSONPath)
			if err != nil {
				continue
			}
			if value := first(p, u.Object); value != nil {
				out[names[i]] = fmt.Sprint(value)
			}
		}
		return out
	}
}
