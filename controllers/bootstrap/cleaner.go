package bootstrap

import (
	"context"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"

	"coracle/controllers/loop"
)

// Cleaner deletes bootstrap tokens when their time is over.
type Cleaner struct {
	client  kubernetes.Interface
	secrets corelisters.SecretNamespaceLister
	now     func() time.Time
	loop    *loop.Loop[string] // names of Secrets in kube-system
}

// NewCleaner makes one. Call it before the factory starts.
func NewCleaner(client kubernetes.Interface, factory informers.SharedInformerFactory, now func() time.Time, log *slog.Logger) *Cleaner {
	secrets := factory.Core().V1().Secrets()
	c := &Cleaner{client: client, secrets: secrets.Lister().Secrets(metav1.NamespaceSystem), now: now}
	c.loop = loop.New("token-cleaner", log, c.reconcile)
	loop.Watch(c.loop, secrets.Informer(), func(_, secret *corev1.Secret) {
		if secret != nil && isToken(secret) {
			c.loop.Add(secret.Name)
		}
	})
	return c
}

// Run runs the controller until ctx ends.
func (c *Cleaner) Run(ctx context.Context) error { return c.loop.Run(ctx, 1) }

func (c *Cleaner) reconcile(ctx context.Context, name string) error {
	secret, err := c.secrets.Get(name)
	if err != nil || !isToken(secret) {
		return nil // gone, or made anew as something else
	}
	left, over := remaining(secret, c.now())
	if !over {
		if left > 0 {
			c.loop.AddAfter(name, left)
		}
		return nil
	}
	options := metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(secret.UID))}
	err = c.client.CoreV1().Secrets(metav1.NamespaceSystem).Delete(ctx, name, options)
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // somebody was quicker
	}
	return err
}
