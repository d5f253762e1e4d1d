package trustbundle

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/certificates/v1"

	"coracle/controllers/loop"
)

// Signer is whose bundle it is: it signs the certificates that the API server serves with.
const Signer = "kubernetes.io/kube-apiserver-serving"

// Publisher keeps one bundle of Signer, and no other.
type Publisher struct {
	client  kubernetes.Interface
	ca      func() []byte
	bundles listers.ClusterTrustBundleLister
	loop    *loop.Loop[string] // Signer is the only key
}

// New makes a publisher of what ca returns at the time: PEM certificates. Call it before the factory starts. While ca
// returns nothing, nothing is published and nothing deleted.
func New(client kubernetes.Interface, factory informers.SharedInformerFactory, ca func() []byte, log *slog.Logger) *Publisher {
	bundles := factory.Certificates().V1().ClusterTrustBundles()
	p := &Publisher{client: client, ca: ca, bundles: bundles.Lister()}
	p.loop = loop.New("clustertrustbundle", log, p.reconcile)
	loop.Watch(p.loop, bundles.Informer(), func(old, bundle *certificatesv1.ClusterTrustBundle) {
		if cmp.Or(bundle, old).Spec.SignerName == Signer {
			p.loop.Add(Signer)
		}
	})
	return p
}

// Run runs the publisher until ctx ends.
func (p *Publisher) Run(ctx context.Context) error {
	p.loop.Add(Signer) // there may be no bundle that an event could tell of
	return p.loop.Run(ctx, 1)
}

// CAChanged makes the publisher read the CA again. It does not wait until that is published.
func (p *Publisher) CAChanged() { p.loop.Add(Signer) }

// reconcile publishes first and deletes afterwards: at no time is there no bundle.
func (p *Publisher) reconcile(ctx context.Context, _ string) error {
	ca := string(p.ca())
	if ca == "" {
		return nil
	}
	name := Name([]byte(ca))
	if err := p.publish(ctx, name, ca); err != nil {
		return err
	}
	all, err := p.bundles.List(labels.Everything())
	if err != nil {
		return err
	}
	var errs []error
	for _, bundle := range all {
		if bundle.Spec.SignerName != Signer || bundle.Name == name {
			continue
		}
		err := p.client.CertificatesV1().ClusterTrustBundles().Delete(ctx, bundle.Name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("delete the bundle %s: %w", bundle.Name, err))
		}
	}
	return errors.Join(errs...)
}

func (p *Publisher) publish(ctx context.Context, name, ca string) error {
	api := p.client.CertificatesV1().ClusterTrustBundles()
	bundle, err := p.bundles.Get(name)
	switch {
	case apierrors.IsNotFound(err):
		_, err = api.Create(ctx, &certificatesv1.ClusterTrustBundle{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec:       certificatesv1.ClusterTrustBundleSpec{SignerName: Signer, TrustBundle: ca},
		}, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			return nil // its event follows, and then we look at what it holds
		}
	case err == nil && bundle.Spec.TrustBundle != ca:
		bundle = bundle.DeepCopy()
		bundle.Spec.TrustBundle = ca
		_, err = api.Update(ctx, bundle, metav1.UpdateOptions{})
	}
	return err
}

// Name is what a bundle of Signer with these contents is called.
func Name(bundle []byte) string {
	const hashed = 12 // bytes: upstream's choice, enough that nobody finds another bundle of the same name
	sum := sha256.Sum256(bundle)
	return fmt.Sprintf("%s:%x", strings.ReplaceAll(Signer, "/", ":"), sum[:hashed])
}
