package namespace

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/util/retry"

	"coracle/controllers/loop"
)

const workers = 4

// Discovery tells which resources there are. client-go's discovery client is one. Its answer may be incomplete and
// come with an error: then the namespace stays until the answer is complete.
type Discovery interface {
	ServerPreferredNamespacedResources() ([]*metav1.APIResourceList, error)
}

// Controller empties and finalizes namespaces that are being deleted.
type Controller struct {
	client     kubernetes.Interface
	content    metadata.Interface
	discovery  Discovery
	namespaces corelisters.NamespaceLister
	pods       corelisters.PodLister
	loop       *loop.Loop[string] // names of namespaces
}

// New makes a controller; content is a client of the same identity. Call it before the factory starts.
func New(client kubernetes.Interface, content metadata.Interface, discovery Discovery, factory informers.SharedInformerFactory, log *slog.Logger) *Controller {
	core := factory.Core().V1()
	c := &Controller{
		client:     client,
		content:    content,
		discovery:  discovery,
		namespaces: core.Namespaces().Lister(),
		pods:       core.Pods().Lister(),
	}
	c.loop = loop.New("namespace", log, c.reconcile)
	loop.Watch(c.loop, core.Namespaces().Informer(), func(_, namespace *v1.Namespace) {
		if namespace != nil && namespace.DeletionTimestamp != nil {
			c.loop.Add(namespace.Name)
		}
	})
	loop.Watch(c.loop, core.Pods().Informer(), func(old, pod *v1.Pod) {
		if pod != nil {
			return
		}
		if namespace, err := c.namespaces.Get(old.Namespace); err == nil && namespace.DeletionTimestamp != nil {
			c.loop.Add(namespace.Name)
		}
	})
	return c
}

// Run runs the controller until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.loop.Run(ctx, workers) }

func (c *Controller) reconcile(ctx context.Context, name string) error {
	namespace, err := c.client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return err
	case namespace.DeletionTimestamp == nil, !slices.Contains(namespace.Spec.Finalizers, v1.FinalizerKubernetes):
		return nil
	}
	found := c.sweep(ctx, namespace)
	if namespace, err = c.tell(ctx, namespace, found); namespace == nil || err != nil {
		return err
	}
	switch {
	case len(found.errs) > 0:
		return found.err()
	case found.anyRemain():
		return loop.ErrAgain
	}
	return c.finalize(ctx, namespace)
}

// tell writes phase and conditions where they have changed, and returns the namespace as it is then; nil when it
// is gone.
func (c *Controller) tell(ctx context.Context, namespace *v1.Namespace, found *findings) (*v1.Namespace, error) {
	return c.update(ctx, namespace, func(namespace *v1.Namespace) (*v1.Namespace, error) {
		changed := namespace.DeepCopy()
		conditionsChanged := setConditions(&changed.Status, found.conditions())
		if !conditionsChanged && namespace.Status.Phase == v1.NamespaceTerminating {
			return namespace, nil
		}
		changed.Status.Phase = v1.NamespaceTerminating
		return c.client.CoreV1().Namespaces().UpdateStatus(ctx, changed, metav1.UpdateOptions{})
	})
}

// finalize says that the content is gone. Finalizers of others stay; the last one to go ends the namespace.
func (c *Controller) finalize(ctx context.Context, namespace *v1.Namespace) error {
	_, err := c.update(ctx, namespace, func(namespace *v1.Namespace) (*v1.Namespace, error) {
		changed := namespace.DeepCopy()
		changed.Spec.Finalizers = slices.DeleteFunc(changed.Spec.Finalizers, func(f v1.FinalizerName) bool { return f == v1.FinalizerKubernetes })
		return c.client.CoreV1().Namespaces().Finalize(ctx, changed, metav1.UpdateOptions{})
	})
	return err
}

// update calls write, and again with what is stored by then as long as somebody else is faster. It returns nil
// when the namespace is gone, and an error when another one has taken its name.
func (c *Controller) update(ctx context.Context, namespace *v1.Namespace, write func(*v1.Namespace) (*v1.Namespace, error)) (*v1.Namespace, error) {
	var written *v1.Namespace
	current := namespace
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() (err error) {
		if current == nil {
			if current, err = c.client.CoreV1().Namespaces().Get(ctx, namespace.Name, metav1.GetOptions{}); err != nil {
				return err
			}
			if current.UID != namespace.UID {
				return fmt.Errorf("namespace %s was deleted and created again meanwhile", namespace.Name)
			}
		}
		written, err = write(current)
		current = nil
		return err
	})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return written, err
}
