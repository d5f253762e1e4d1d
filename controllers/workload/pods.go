package workload

import (
	"context"
	"fmt"
	"sync"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"coracle/controllers/event"
)

// Owner is an object in whose name pods are made.
type Owner interface {
	metav1.Object
	runtime.Object
}

// Pods makes and deletes pods in the name of their owners and writes an Event for each.
type Pods struct {
	client kubernetes.Interface
	events *event.Recorder
	store  cache.Store
	lister corelisters.PodLister

	mu    sync.Mutex
	asked map[types.UID]*asked // by owner
}

// asked is what was asked of the API server in an owner's name and may not have come back to the cache.
type asked struct {
	made    string // version of the latest pod made
	deleted map[types.UID]cache.ObjectName
}

// NewPods makes a Pods that writes with client. Call it before the factory starts.
func NewPods(client kubernetes.Interface, factory informers.SharedInformerFactory, events *event.Recorder) *Pods {
	pods := factory.Core().V1().Pods()
	return &Pods{client: client, events: events, store: pods.Informer().GetStore(), lister: pods.Lister(), asked: map[types.UID]*asked{}}
}

// FromTemplate is the pod that owner's template asks for, named by the API server.
func FromTemplate(template *v1.PodTemplateSpec, owner *metav1.OwnerReference) *v1.Pod {
	template = template.DeepCopy()
	return &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName:    owner.Name + "-",
			Labels:          template.Labels,
			Annotations:     template.Annotations,
			Finalizers:      template.Finalizers,
			OwnerReferences: []metav1.OwnerReference{*owner},
		},
		Spec: template.Spec,
	}
}

// Create makes a pod for owner. In a namespace that is being deleted none can be made, and that is no error: the owner
// is about to go as well.
func (p *Pods) Create(ctx context.Context, owner Owner, pod *v1.Pod) error {
	made, err := p.client.CoreV1().Pods(owner.GetNamespace()).Create(ctx, pod, metav1.CreateOptions{})
	switch {
	case apierrors.HasStatusCause(err, v1.NamespaceTerminatingCause):
		return nil
	case err != nil:
		p.events.Warning(owner, "FailedCreate", "Error creating: %v", err)
		return err
	}
	p.events.Normal(owner, "SuccessfulCreate", "Created pod: %v", made.Name)
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.of(owner); newer(made.ResourceVersion, a.made) {
		a.made = made.ResourceVersion
	}
	return nil
}

// Delete deletes a pod of owner's. That it is gone already is no error.
func (p *Pods) Delete(ctx context.Context, owner Owner, pod *v1.Pod) error {
	p.mu.Lock()
	p.of(owner).deleted[pod.UID] = cache.MetaObjectToName(pod)
	p.mu.Unlock()
	options := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}}
	err := p.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, options)
	switch {
	case err == nil:
		p.events.Normal(owner, "SuccessfulDelete", "Deleted pod: %v", pod.Name)
		return nil
	case apierrors.IsNotFound(err):
		return nil
	}
	p.mu.Lock()
	delete(p.of(owner).deleted, pod.UID)
	p.mu.Unlock()
	if apierrors.IsConflict(err) {
		return nil // another pod of that name: the cache will tell
	}
	p.events.Warning(owner, "FailedDelete", "Error deleting: %v", err)
	return fmt.Errorf("unable to delete pods: %w", err)
}

// UpToDate tells whether the cache shows all that was done in the name of owner. Until it does, its count of pods
// is no ground to make or delete any.
func (p *Pods) UpToDate(owner types.UID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.asked[owner]
	if a == nil {
		return true
	}
	if newer(a.made, p.store.LastStoreSyncResourceVersion()) {
		return false
	}
	for uid, name := range a.deleted {
		pod, err := p.lister.Pods(name.Namespace).Get(name.Name)
		if err == nil && pod.UID == uid && pod.DeletionTimestamp == nil {
			return false
		}
	}
	delete(p.asked, owner)
	return true
}

// Forget drops what is remembered of an owner that is gone.
func (p *Pods) Forget(owner types.UID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.asked, owner)
}

// of is called with the lock held.
func (p *Pods) of(owner Owner) *asked {
	a := p.asked[owner.GetUID()]
	if a == nil {
		a = &asked{deleted: map[types.UID]cache.ObjectName{}}
		p.asked[owner.GetUID()] = a
	}
	return a
}

// newer tells whether version a is newer than b. Any is newer than none.
func newer(a, b string) bool {
	if a == "" || b == "" {
		return a != ""
	}
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order > 0
}
