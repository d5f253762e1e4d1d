package serviceaccount

import (
	"context"
	"log/slog"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"

	"coracle/controllers/loop"
)

// Name is the account that every namespace has.
const Name = "default"

// workers is how many namespaces get their account at a time: several may be made at once at first start.
const workers = 4

// Controller creates the default ServiceAccount of each active namespace, and again when it is deleted.
type Controller struct {
	client     kubernetes.Interface
	namespaces corelisters.NamespaceLister
	accounts   corelisters.ServiceAccountLister
	loop       *loop.Loop[string] // names of namespaces
}

// New makes a controller. Call it before the factory starts.
func New(client kubernetes.Interface, factory informers.SharedInformerFactory, log *slog.Logger) *Controller {
	core := factory.Core().V1()
	c := &Controller{
		client:     client,
		namespaces: core.Namespaces().Lister(),
		accounts:   core.ServiceAccounts().Lister(),
	}
	c.loop = loop.New("serviceaccount", log, c.reconcile)
	loop.Watch(c.loop, core.Namespaces().Informer(), func(_, namespace *v1.Namespace) {
		if namespace != nil {
			c.loop.Add(namespace.Name)
		}
	})
	loop.Watch(c.loop, core.ServiceAccounts().Informer(), func(old, account *v1.ServiceAccount) {
		if account == nil && old.Name == Name {
			c.loop.Add(old.Namespace)
		}
	})
	return c
}

// Run runs the controller until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.loop.Run(ctx, workers) }

func (c *Controller) reconcile(ctx context.Context, name string) error {
	namespace, err := c.namespaces.Get(name)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return err
	case namespace.DeletionTimestamp != nil || namespace.Status.Phase == v1.NamespaceTerminating:
		return nil // its accounts are being deleted: a new one would only be in the way
	}
	if _, err := c.accounts.ServiceAccounts(name).Get(Name); !apierrors.IsNotFound(err) {
		return err
	}
	account := &v1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: Name}}
	_, err = c.client.CoreV1().ServiceAccounts(name).Create(ctx, account, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, v1.NamespaceTerminatingCause) {
		return nil
	}
	return err
}
