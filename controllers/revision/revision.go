package revision

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	appslisters "k8s.io/client-go/listers/apps/v1"
	"k8s.io/client-go/tools/cache"

	"coracle/controllers/workload"
)

// History is that of one controller's owners.
type History struct {
	client    kubernetes.Interface
	revisions appslisters.ControllerRevisionLister
	informer  cache.SharedIndexInformer
}

// NewHistory writes with client. Call it before the factory starts.
func NewHistory(client kubernetes.Interface, factory informers.SharedInformerFactory) *History {
	revisions := factory.Apps().V1().ControllerRevisions()
	return &History{client: client, revisions: revisions.Lister(), informer: revisions.Informer()}
}

// Informer tells of revisions.
func (h *History) Informer() cache.SharedIndexInformer { return h.informer }

// Owned returns the revisions of owner, the oldest first. Orphans that its selector chooses are adopted. They belong to
// the cache: not to be changed.
func (h *History) Owned(ctx context.Context, owner metav1.Object, kind schema.GroupVersionKind, selector labels.Selector, fresh func(context.Context) (metav1.Object, error)) ([]*appsv1.ControllerRevision, error) {
	all, err := h.revisions.ControllerRevisions(owner.GetNamespace()).List(labels.Everything())
	if err != nil {
		return nil, err
	}
	owned, err := workload.Claim[*appsv1.ControllerRevision]{
		Owner: owner, Kind: kind, Selector: selector, Fresh: fresh,
		Patch: func(ctx context.Context, r *appsv1.ControllerRevision, patch []byte) error {
			_, err := h.client.AppsV1().ControllerRevisions(r.Namespace).Patch(ctx, r.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
			return err
		},
	}.Of(ctx, all)
	slices.SortFunc(owned, func(a, b *appsv1.ControllerRevision) int {
		return cmp.Or(cmp.Compare(a.Revision, b.Revision), a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return owned, err
}

// Make creates a revision. collision says that there is one of that name with other data: the caller counts it, and tries
// again under another name.
func (h *History) Make(ctx context.Context, r *appsv1.ControllerRevision) (made *appsv1.ControllerRevision, collision bool, err error) {
	api := h.client.AppsV1().ControllerRevisions(r.Namespace)
	made, err = api.Create(ctx, r, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		return made, false, err
	}
	present, err := api.Get(ctx, r.Name, metav1.GetOptions{})
	if err != nil {
		return nil, false, err
	}
	return present, !bytes.Equal(present.Data.Raw, r.Data.Raw), nil
}

// Renumber gives a revision another number: an old template has become the newest again.
func (h *History) Renumber(ctx context.Context, r *appsv1.ControllerRevision, number int64) (*appsv1.ControllerRevision, error) {
	if r.Revision == number {
		return r, nil
	}
	r = r.DeepCopy()
	r.Revision = number
	return h.client.AppsV1().ControllerRevisions(r.Namespace).Update(ctx, r, metav1.UpdateOptions{})
}

// Truncate deletes the oldest of revisions that are not in use, but as many as limit says.
func (h *History) Truncate(ctx context.Context, revisions []*appsv1.ControllerRevision, limit *int32, inUse func(*appsv1.ControllerRevision) bool) error {
	if limit == nil {
		return nil
	}
	old := slices.DeleteFunc(slices.Clone(revisions), inUse)
	for _, r := range old[:max(len(old)-int(*limit), 0)] {
		err := h.client.AppsV1().ControllerRevisions(r.Namespace).Delete(ctx, r.Name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// Next is the number after the newest of revisions.
func Next(revisions []*appsv1.ControllerRevision) int64 {
	newest := int64(0)
	for _, r := range revisions {
		newest = max(newest, r.Revision)
	}
	return newest + 1
}

// Data is the patch that puts template back.
func Data(template *v1.PodTemplateSpec) ([]byte, error) {
	text, err := json.Marshal(template)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, err
	}
	fields["$patch"] = "replace"
	return json.Marshal(map[string]any{"spec": map[string]any{"template": fields}})
}

// Template is the template that a revision remembers.
func Template(r *appsv1.ControllerRevision) (*v1.PodTemplateSpec, error) {
	var patch struct {
		Spec struct {
			Template v1.PodTemplateSpec `json:"template"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(r.Data.Raw, &patch); err != nil {
		return nil, fmt.Errorf("read the template of ControllerRevision %s/%s: %w", r.Namespace, r.Name, err)
	}
	return &patch.Spec.Template, nil
}
