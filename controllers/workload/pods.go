package workload

import (
	"context"
	"fmt"
	"slices"
	"sync"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"coracle/controllers/event"
	"coracle/controllers/loop"
)

// Owner is an object in whose name pods are made.
type Owner interface {
	metav1.Object
	runtime.Object
}

// Pods makes and deletes pods in the name of their owners and tells of each.
type Pods struct {
	client kubernetes.Interface
	tell   Tell
	lister corelisters.PodLister
	made   *loop.Written[types.UID] // by owner

	mu      sync.Mutex
	deleted map[types.UID][]deletion // by owner: what the cache may still show
}

// Tell is called when a pod was made or deleted (verb is create or delete), or could not be.
type Tell func(owner Owner, verb string, pod *v1.Pod, err error)

// deletion is a pod that was asked to go.
type deletion struct {
	name cache.ObjectName
	uid  types.UID
}

// NewPods makes a Pods that writes with client, and an Event for each pod. Call it before the factory starts.
func NewPods(client kubernetes.Interface, factory informers.SharedInformerFactory, events *event.Recorder) *Pods {
	return NewPodsTelling(client, factory, func(owner Owner, verb string, pod *v1.Pod, err error) {
		switch {
		case verb == "create" && err != nil:
			events.Warning(owner, "FailedCreate", "Error creating: %v", err)
		case verb == "create":
			events.Normal(owner, "SuccessfulCreate", "Created pod: %v", pod.Name)
		case err != nil:
			events.Warning(owner, "FailedDelete", "Error deleting: %v", err)
		default:
			events.Normal(owner, "SuccessfulDelete", "Deleted pod: %v", pod.Name)
		}
	})
}

// NewPodsTelling is NewPods for those who tell it in other words.
func NewPodsTelling(client kubernetes.Interface, factory informers.SharedInformerFactory, tell Tell) *Pods {
	pods := factory.Core().V1().Pods()
	return &Pods{
		client: client, tell: tell, lister: pods.Lister(),
		made: loop.NewWritten[types.UID](pods.Informer()), deleted: map[types.UID][]deletion{},
	}
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
		p.tell(owner, "create", pod, err)
		return err
	}
	p.tell(owner, "create", made, nil)
	p.made.Note(owner.GetUID(), made.ResourceVersion)
	return nil
}

// Delete deletes a pod of owner's. That it is gone already is no error.
func (p *Pods) Delete(ctx context.Context, owner Owner, pod *v1.Pod) error {
	asked := deletion{name: cache.MetaObjectToName(pod), uid: pod.UID}
	p.mu.Lock()
	p.deleted[owner.GetUID()] = append(p.deleted[owner.GetUID()], asked)
	p.mu.Unlock()
	options := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}}
	err := p.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, options)
	switch {
	case err == nil:
		p.tell(owner, "delete", pod, nil)
		return nil
	case apierrors.IsNotFound(err):
		return nil
	}
	p.mu.Lock()
	p.deleted[owner.GetUID()] = slices.DeleteFunc(p.deleted[owner.GetUID()], func(d deletion) bool { return d == asked })
	p.mu.Unlock()
	if apierrors.IsConflict(err) {
		return nil // another pod of that name: the cache will tell
	}
	p.tell(owner, "delete", pod, err)
	return fmt.Errorf("unable to delete pods: %w", err)
}

// Patch applies a strategic merge patch to a pod. It is a Claim's Patch.
func (p *Pods) Patch(ctx context.Context, pod *v1.Pod, patch []byte) error {
	_, err := p.client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	return err
}

// UpToDate tells whether the cache shows all that was done in the name of owner. Until it does, its count of pods
// is no ground to make or delete any.
func (p *Pods) UpToDate(owner types.UID) bool {
	if !p.made.Seen(owner) {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.deleted[owner] {
		pod, err := p.lister.Pods(d.name.Namespace).Get(d.name.Name)
		if err == nil && pod.UID == d.uid && pod.DeletionTimestamp == nil {
			return false
		}
	}
	delete(p.deleted, owner)
	return true
}

// Forget drops what is remembered of an owner that is gone.
func (p *Pods) Forget(owner types.UID) {
	p.made.Forget(owner)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.deleted, owner)
}
