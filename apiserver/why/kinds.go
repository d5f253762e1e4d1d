package why

import (
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"

	"coracle/apiserver/catalog"
)

// Kinds are the rows of the group. `mydecisions` are the caller's own: whoever may list those need not be allowed
// to see everybody's.
func Kinds() []*catalog.Kind {
	decisions := catalog.Kind{
		Resource: "decisions", Singular: "decision", ShortNames: []string{"why"},
		Verbs: []string{"get", "list", "watch"}, Virtual: true,
		New:        func() runtime.Object { return &Decision{TypeMeta: typeMeta("Decision")} },
		NewList:    func() runtime.Object { return &DecisionList{TypeMeta: typeMeta("DecisionList"), Items: []Decision{}} },
		Table:      table(),
		FieldNames: []string{"user", "verb", "resource", "namespace", "name", "allowed", "code"},
		Fields:     selectable,
	}
	decisions.GroupVersionKind = GroupVersion().WithKind("Decision")
	own := decisions
	own.Resource, own.Singular, own.ShortNames = "mydecisions", "mydecision", nil
	own.New = func() runtime.Object { return &Decision{TypeMeta: typeMeta("MyDecision")} }
	own.NewList = func() runtime.Object {
		return &DecisionList{TypeMeta: typeMeta("MyDecisionList"), Items: []Decision{}}
	}
	own.GroupVersionKind = GroupVersion().WithKind("MyDecision")
	explanation := catalog.Kind{
		Resource: "accessexplanations", Singular: "accessexplanation", Verbs: []string{"create"}, Virtual: true,
		New: func() runtime.Object { return &AccessExplanation{TypeMeta: typeMeta("AccessExplanation")} },
	}
	explanation.GroupVersionKind = GroupVersion().WithKind("AccessExplanation")
	return []*catalog.Kind{&explanation, authenticators(), &decisions, &own}
}

func typeMeta(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{Kind: kind, APIVersion: GroupVersion().String()}
}

func selectable(obj runtime.Object) fields.Set {
	d := obj.(*Decision)
	return fields.Set{
		"user": d.User.Username, "verb": d.Request.Verb, "resource": resource(d),
		"namespace": d.Request.Namespace, "name": d.Request.Name,
		"allowed": strconv.FormatBool(d.Allowed), "code": strconv.Itoa(d.Code),
	}
}

func resource(d *Decision) string {
	switch {
	case d.Request.Resource == "":
		return d.Request.Path
	case d.Request.Subresource != "":
		return d.Request.Resource + "/" + d.Request.Subresource
	}
	return d.Request.Resource
}

func table() catalog.Table {
	column := func(name, doc string) metav1.TableColumnDefinition {
		return metav1.TableColumnDefinition{Name: name, Type: "string", Description: doc}
	}
	id := column("ID", "The request's Audit-ID, which is the decision's name.")
	id.Priority, id.Format = 1, "name"
	return catalog.Table{
		Columns: []metav1.TableColumnDefinition{
			column("Age", "How long ago the request came."),
			column("User", "Who asked, after impersonation."),
			column("Verb", "What was to be done."),
			column("Resource", "To what kind of object, or to which path."),
			column("Namespace", "In which namespace."),
			column("Name", "To which object."),
			column("Code", "The HTTP status answered."),
			column("Why", "What granted the request, or what came nearest to it."),
			id,
		},
		Cells: func(obj runtime.Object, now time.Time) []any {
			d := obj.(*Decision)
			return []any{
				catalog.Age(d.CreationTimestamp, now), d.User.Username, d.Request.Verb, resource(d),
				d.Request.Namespace, d.Request.Name, strconv.Itoa(d.Code), d.Why, d.ObjectMeta.Name,
			}
		},
	}
}
