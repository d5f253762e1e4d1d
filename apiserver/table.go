package apiserver

import (
	"maps"
	"net/url"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"coracle/apiserver/catalog"
	"coracle/apiserver/wire"
)

// table renders objects as the rows that `kubectl get` prints.
func (c *call) table(f wire.Format, objs []runtime.Object, list metav1.ListMeta) (*metav1.Table, error) {
	include, err := includeObject(c.r.URL.Query())
	if err != nil {
		return nil, err
	}
	t := &metav1.Table{
		TypeMeta:          metav1.TypeMeta{Kind: "Table", APIVersion: f.MetaVersion()},
		ListMeta:          list,
		ColumnDefinitions: catalog.Columns(c.kind),
		Rows:              make([]metav1.TableRow, 0, len(objs)),
	}
	now := c.Now()
	for _, obj := range objs {
		row := metav1.TableRow{Cells: catalog.Cells(c.kind, obj, now)}
		if c.kind.Table.Conditions != nil {
			row.Conditions = c.kind.Table.Conditions(obj)
		}
		switch include {
		case metav1.IncludeObject:
			row.Object.Object = obj
		case metav1.IncludeMetadata:
			p, err := c.partial(f, obj)
			if err != nil {
				return nil, err
			}
			row.Object.Object = p
		}
		t.Rows = append(t.Rows, row)
	}
	return t, nil
}

func includeObject(q url.Values) (metav1.IncludeObjectPolicy, error) {
	switch p := metav1.IncludeObjectPolicy(q.Get("includeObject")); p {
	case "":
		return metav1.IncludeMetadata, nil
	case metav1.IncludeNone, metav1.IncludeObject, metav1.IncludeMetadata:
		return p, nil
	default:
		return "", apierrors.NewBadRequest(`Unable to convert to Table as requested: includeObject: Invalid value: "` + string(p) + `": must be 'Metadata', 'Object', 'None', or empty`)
	}
}

// partial is an object's metadata, as clients ask for that only want to know what there is.
func (c *call) partial(f wire.Format, obj runtime.Object) (*metav1.PartialObjectMetadata, error) {
	m, err := meta.Accessor(obj)
	if err != nil {
		return nil, err
	}
	p := meta.AsPartialObjectMetadata(m)
	p.TypeMeta = metav1.TypeMeta{Kind: "PartialObjectMetadata", APIVersion: f.MetaVersion()}
	if len(c.kind.Derived) > 0 && len(p.Annotations) > 0 {
		p.Annotations = maps.Clone(p.Annotations)
		maps.DeleteFunc(p.Annotations, func(name, _ string) bool { return slices.Contains(c.kind.Derived, name) })
	}
	return p, nil
}

func versionOf(obj runtime.Object) string {
	if m, err := meta.Accessor(obj); err == nil {
		return m.GetResourceVersion()
	}
	return ""
}
