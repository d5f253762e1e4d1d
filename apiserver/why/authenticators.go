package why

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"coracle/apiserver/catalog"
)

// Authenticator is one strategy by which the server finds out who asks. Its name is the one that decisions give it.
// Updating it switches the strategy on or off until the server is started again.
type Authenticator struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec AuthenticatorSpec `json:"spec"`
}

// AuthenticatorSpec says whether it is asked.
type AuthenticatorSpec struct {
	Enabled bool `json:"enabled"`
	// Force lets the caller switch off the strategy that recognised them for this very request. It is not kept.
	Force bool `json:"force,omitempty"`
}

// AuthenticatorList lists them in the order in which they are asked.
type AuthenticatorList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []Authenticator `json:"items"`
}

// DeepCopyObject copies the object. Its metadata are never changed, and are shared.
func (a *Authenticator) DeepCopyObject() runtime.Object { c := *a; return &c }

// DeepCopyObject copies the list. Its items are never changed, and are shared.
func (l *AuthenticatorList) DeepCopyObject() runtime.Object { c := *l; return &c }

// OpenAPIModelName names the schema.
func (Authenticator) OpenAPIModelName() string { return "dev.coracle.v1alpha1.Authenticator" }

// OpenAPIModelName names the schema.
func (AuthenticatorList) OpenAPIModelName() string { return "dev.coracle.v1alpha1.AuthenticatorList" }

// NewAuthenticator is the object that stands for a strategy.
func NewAuthenticator(name string, enabled bool) *Authenticator {
	return &Authenticator{
		TypeMeta: typeMeta("Authenticator"), ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: AuthenticatorSpec{Enabled: enabled},
	}
}

func authenticators() *catalog.Kind {
	column := func(name, doc string) metav1.TableColumnDefinition {
		return metav1.TableColumnDefinition{Name: name, Type: "string", Description: doc}
	}
	name := column("Name", "The strategy, as decisions name it.")
	name.Format = "name"
	state := column("State", "Enabled, or Disabled: then it passes on every request.")
	return &catalog.Kind{
		GroupVersionKind: GroupVersion().WithKind("Authenticator"),
		Resource:         "authenticators", Singular: "authenticator", Verbs: []string{"get", "list", "update"}, Virtual: true,
		New: func() runtime.Object { return &Authenticator{TypeMeta: typeMeta("Authenticator")} },
		NewList: func() runtime.Object {
			return &AuthenticatorList{TypeMeta: typeMeta("AuthenticatorList"), Items: []Authenticator{}}
		},
		Table: catalog.Table{
			Columns: []metav1.TableColumnDefinition{name, state},
			Cells: func(obj runtime.Object, _ time.Time) []any {
				a := obj.(*Authenticator)
				return []any{a.Name, a.State()}
			},
		},
	}
}

// State is the word for people.
func (a *Authenticator) State() string {
	if a.Spec.Enabled {
		return "Enabled"
	}
	return "Disabled"
}
