package catalog

import (
	"cmp"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/authentication/user"
)

// Kind is one row of the catalog: everything the generic server needs to know about one kind.
type Kind struct {
	schema.GroupVersionKind
	Resource   string   // plural, as in URLs: pods
	Singular   string   // pod
	ShortNames []string // po
	Categories []string // all
	Namespaced bool

	// Verbs as discovery lists them; nil means all eight.
	Verbs []string

	// New and NewList return empty objects with their TypeMeta set.
	New     func() runtime.Object
	NewList func() runtime.Object

	// StoredAs is the resource under which objects are kept when that is not this kind's own:
	// events of both groups are one storage.
	StoredAs schema.GroupResource

	// ToStored and FromStored convert between this kind and the kind that is stored, where they differ.
	ToStored   func(runtime.Object) (runtime.Object, error)
	FromStored func(runtime.Object) (runtime.Object, error)

	// Derived are annotations in which this version of the kind shows fields that another has: its metadata alone is without them.
	Derived []string
	// Blank fills in what an object of nothing has, which is what a bookmark tells a version with; nil for nothing.
	Blank func(obj runtime.Object)

	// Converted returns an object of the kind in another version that its fields can be owned in; nil where there is one alone.
	Converted func(obj runtime.Object, to schema.GroupVersion) (runtime.Object, error)

	// Virtual: objects of the kind are made when asked for, and never stored.
	Virtual bool
	// ReturnDeleted: a deletion answers with the object instead of a Status.
	ReturnDeleted bool
	// OrphanByDefault: what an object owns outlives it unless the client says otherwise.
	OrphanByDefault bool
	// OrphanWarning is what a client is told that relies on OrphanByDefault; "" for nothing.
	OrphanWarning string
	// NoDependents: objects of the kind own nothing, and the garbage collector is not asked about them.
	NoDependents bool

	// SchemaHash changes with the schema of a kind that has no Go type; "" for the others.
	SchemaHash string
	// Custom is set for kinds that a CustomResourceDefinition describes.
	Custom *Custom

	Strategy     Strategy
	Table        Table
	Subresources []Subresource

	// Fields are the selectable fields besides metadata.name and metadata.namespace. nil for none.
	Fields func(runtime.Object) fields.Set
	// FieldNames are the keys that Fields can return: a selector on any other is refused.
	FieldNames []string
	// UnknownField words that refusal, with a verb of fmt for the field; "" for the usual sentence.
	UnknownField string
	// MissingAs is how the answer to a name that no object has calls the resource; "" for Resource.
	MissingAs string
}

// Subresource is served at .../NAME/<Name>.
type Subresource struct {
	Name  string
	Kind  schema.GroupVersionKind // what travels over the wire, such as autoscaling/v1 Scale
	Verbs []string
	New   func() runtime.Object // of Kind

	// Prepare keeps what an update of the object through this subresource may not change, metadata aside. Of status
	// the generic server keeps all but the status; of others nothing.
	Prepare func(obj, old runtime.Object)
	// Stamp then fills in the times that the client left out.
	Stamp func(obj, old runtime.Object, now time.Time)
	// Validate checks such an update, in place of the Strategy.
	Validate func(obj, old runtime.Object) field.ErrorList
}

// Strategy is a kind's behaviour. Each func may be nil. They are called with the kind's own Go type.
// Objects given as old are shared and must not be changed.
type Strategy struct {
	// Default fills in what upstream's v1 defaulting fills in, in place.
	Default func(obj runtime.Object)
	// PrepareForCreate drops what clients may not set at creation, such as status.
	// The generic server has set namespace, name, uid, creationTimestamp and generation before.
	PrepareForCreate func(obj runtime.Object)
	// Requester writes into a new object who asks for it, as the server knows them, after PrepareForCreate.
	Requester func(obj runtime.Object, u user.Info)
	// PrepareForUpdate keeps what an update of the main resource may not change. Status, where the kind
	// has that subresource, is kept by the generic server.
	PrepareForUpdate func(obj, old runtime.Object)
	// PrepareForStatusUpdate keeps what an update of the status subresource may not change, besides all that is
	// neither metadata nor status.
	PrepareForStatusUpdate func(obj, old runtime.Object)
	// StatusKeepsMetadata: an update of the status changes, and owns, nothing of metadata.
	// Source: k8s.io/apimachinery/pkg/apis/meta/v1.ResetObjectMetaForStatus.
	StatusKeepsMetadata bool
	// Keeps are paths besides status that no update can change, and that nobody therefore owns, not even the creator.
	Keeps [][]string
	// StatusKeeps are paths besides spec that an update of the status cannot own, where metadata is not kept as a whole.
	StatusKeeps [][]string
	// Validate and ValidateUpdate check all but metadata, which the generic server checks.
	// ValidateUpdate is called after Validate and adds what concerns the change.
	Validate       func(obj runtime.Object) field.ErrorList
	ValidateUpdate func(obj, old runtime.Object) field.ErrorList
	// Revalidate checks an update in place of Validate and ValidateUpdate, for kinds of which Kubernetes checks
	// updates differently, or reports in another order.
	Revalidate func(obj, old runtime.Object) field.ErrorList
	// ValidateStatusUpdate checks a change through the status subresource.
	ValidateStatusUpdate func(obj, old runtime.Object) field.ErrorList
	// Ratchet checks an update, or with status one of the status, in place of all these, for kinds of which a fault may stay that
	// was there before. It calls warn with each that Kubernetes warns of.
	Ratchet func(obj, old runtime.Object, status bool, warn func(string)) field.ErrorList
	// Repeats: Kubernetes checks a change of the metadata twice, and says as often what is wrong with it.
	Repeats bool
	// ChecksMetadata: Validate checks metadata in its own order, or leaves it to a last look once nothing else is wrong,
	// at which names need only be segments of a path.
	ChecksMetadata bool
	// ValidateName checks metadata.name; prefix means it is a generateName. nil: a DNS-1123 subdomain.
	// Source: k8s.io/apimachinery/pkg/api/validation.ValidateNameFunc.
	ValidateName func(name string, prefix bool) []string
	// NameDeclared: what is wrong with a name is reported with the rules that the API's types declare, after all others.
	NameDeclared bool
	// Warnings are sent to the client in Warning headers.
	Warnings func(obj, old runtime.Object) []string
	// Generation: metadata.generation is 1 at creation and grows when anything but metadata and status changes,
	// or, where CountsAnnotations or CountsLabels, when those do, or, where CountsStatus, when status does.
	Generation        bool
	CountsAnnotations bool
	CountsLabels      bool
	CountsStatus      bool
	// CountsOn: it begins with what the client says instead of 1.
	CountsOn bool
	// CountsEmpty: it grows as well when an empty list or mapping takes the place of none.
	CountsEmpty bool
	// GivenNames: a generateName is the name as it stands, for kinds whose names mean something.
	GivenNames bool
	// AllowCreateOnUpdate: PUT to a name that does not exist creates it.
	AllowCreateOnUpdate bool
	// RequireVersion: an update without resourceVersion is refused.
	RequireVersion bool
	// PrepareForDelete is called when a deletion has marked the object.
	PrepareForDelete func(obj runtime.Object)
	// GracePeriod tells how long a deletion takes: the object is marked first and gone when its owner
	// confirms with 0. asked is the client's wish, nil for none. A nil func or an answer of 0 means at once.
	GracePeriod func(obj runtime.Object, asked *int64) int64
}

// Table is what `kubectl get` prints. The zero value means NAME and AGE.
type Table struct {
	Columns []metav1.TableColumnDefinition
	// Cells of one object, as many as Columns. Ages are printed relative to now.
	Cells func(obj runtime.Object, now time.Time) []any
	// Conditions of the row, such as Completed; may be nil.
	Conditions func(obj runtime.Object) []metav1.TableRowCondition
}

// GroupResource is where objects of the kind are kept.
func (k *Kind) GroupResource() schema.GroupResource {
	if k.StoredAs.Resource != "" {
		return k.StoredAs
	}
	return schema.GroupResource{Group: k.Group, Resource: k.Resource}
}

// Checked is the kind as errors about an object's content name it: as it is stored.
func (k *Kind) Checked() schema.GroupKind {
	return schema.GroupKind{Group: k.GroupResource().Group, Kind: k.Kind}
}

// Qualified is the resource as error messages name it: pods, or deployments.apps.
func (k *Kind) Qualified() schema.GroupResource {
	return schema.GroupResource{Group: k.Group, Resource: k.Resource}
}

// Missing is the resource as the answer to a name names it that no object has.
func (k *Kind) Missing() schema.GroupResource {
	return schema.GroupResource{Group: k.Group, Resource: cmp.Or(k.MissingAs, k.Resource)}
}

// Subresource returns the row of a subresource, and whether the kind has it.
func (k *Kind) Subresource(name string) (Subresource, bool) {
	for _, s := range k.Subresources {
		if s.Name == name {
			return s, true
		}
	}
	return Subresource{}, false
}

// ListKind is the name of the kind's list.
func (k *Kind) ListKind() string { return k.NewList().GetObjectKind().GroupVersionKind().Kind }

// AllVerbs are the verbs of the resource itself.
func (k *Kind) AllVerbs() []string {
	if k.Verbs != nil {
		return k.Verbs
	}
	return []string{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
}
