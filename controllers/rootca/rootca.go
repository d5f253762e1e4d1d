package rootca

import (
	"cmp"
	"context"
	"log/slog"
	"maps"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"

	"coracle/controllers/loop"
)

const (
	// Name is the ConfigMap's name, the same in every namespace.
	Name = "kube-root-ca.crt"
	// Key is the entry that holds the certificates, PEM.
	Key = "ca.crt"

	descriptionKey = "kubernetes.io/description"
	description    = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as " +
		"the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."

	workers = 4
)

// Controller keeps the ConfigMap kube-root-ca.crt in every active namespace as it should be.
type Controller struct {
	client     kubernetes.Interface
	ca         func() []byte
	namespaces corelisters.NamespaceLister
	configMaps corelisters.ConfigMapLister
	loop       *loop.Loop[string] // names of namespaces
}

// New makes a controller that publishes what ca returns at the time: PEM certificates. Call it before the
// factory starts. While ca returns nothing, nothing is published.
func New(client kubernetes.Interface, factory informers.SharedInformerFactory, ca func() []byte, log *slog.Logger) *Controller {
	core := factory.Core().V1()
	c := &Controller{
		client:     client,
		ca:         ca,
		namespaces: core.Namespaces().Lister(),
		configMaps: core.ConfigMaps().Lister(),
	}
	c.loop = loop.New("rootca", log, c.reconcile)
	loop.Watch(c.loop, core.Namespaces().Informer(), func(_, namespace *v1.Namespace) {
		if namespace != nil {
			c.loop.Add(namespace.Name)
		}
	})
	loop.Watch(c.loop, core.ConfigMaps().Informer(), func(old, configMap *v1.ConfigMap) {
		if one := cmp.Or(configMap, old); one.Name == Name {
			c.loop.Add(one.Namespace)
		}
	})
	return c
}

// Run runs the controller until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.loop.Run(ctx, workers) }

// CAChanged makes the controller read the CA again and publish it everywhere. It does not wait for that.
func (c *Controller) CAChanged() {
	namespaces, err := c.namespaces.List(labels.Everything())
	if err != nil {
		return // the lister reads memory; there is no error to have
	}
	for _, namespace := range namespaces {
		c.loop.Add(namespace.Name)
	}
}

func (c *Controller) reconcile(ctx context.Context, name string) error {
	ca := c.ca()
	namespace, err := c.namespaces.Get(name)
	switch {
	case len(ca) == 0 || apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return err
	case namespace.DeletionTimestamp != nil || namespace.Status.Phase == v1.NamespaceTerminating:
		return nil
	}
	data := map[string]string{Key: string(ca)}
	configMap, err := c.configMaps.ConfigMaps(name).Get(Name)
	switch {
	case apierrors.IsNotFound(err):
		return c.create(ctx, name, data)
	case err != nil:
		return err
	case maps.Equal(configMap.Data, data) && len(configMap.BinaryData) == 0 && configMap.Annotations[descriptionKey] != "":
		return nil
	}
	configMap = configMap.DeepCopy()
	configMap.Data, configMap.BinaryData = data, nil
	metav1.SetMetaDataAnnotation(&configMap.ObjectMeta, descriptionKey, description)
	_, err = c.client.CoreV1().ConfigMaps(name).Update(ctx, configMap, metav1.UpdateOptions{})
	return err
}

func (c *Controller) create(ctx context.Context, namespace string, data map[string]string) error {
	_, err := c.client.CoreV1().ConfigMaps(namespace).Create(ctx, &v1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:   namespace,
			Name:        Name,
			Annotations: map[string]string{descriptionKey: description},
		},
		Data: data,
	}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil // its event follows, and then we look at what it holds
	}
	if apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, v1.NamespaceTerminatingCause) {
		return nil // the namespace is on its way out
	}
	return err
}
