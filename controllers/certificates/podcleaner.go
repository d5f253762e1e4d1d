package certificates

import (
	"context"
	"log/slog"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/certificates/v1"
	"k8s.io/client-go/tools/cache"

	"coracle/controllers/loop"
)

const (
	// podRequestStays is how long a pod's request stays, answered or not. Its node has taken up the answer long before.
	podRequestStays = 15 * time.Minute
	// podLookEvery is for these what lookEvery is for signing requests.
	podLookEvery = 5 * time.Minute
)

// PodCleaner deletes PodCertificateRequests whose time is over.
type PodCleaner struct {
	client   kubernetes.Interface
	requests listers.PodCertificateRequestLister
	now      func() time.Time
	loop     *loop.Loop[cache.ObjectName]
}

// NewPodCleaner makes a cleaner that goes by the clock now. Call it before the factory starts.
func NewPodCleaner(client kubernetes.Interface, factory informers.SharedInformerFactory, now func() time.Time, log *slog.Logger) *PodCleaner {
	requests := factory.Certificates().V1().PodCertificateRequests()
	c := &PodCleaner{client: client, requests: requests.Lister(), now: now}
	c.loop = loop.New("podcertificaterequestcleaner", log, c.reconcile)
	loop.Watch(c.loop, requests.Informer(), func(_, r *certificatesv1.PodCertificateRequest) {
		if r != nil {
			c.loop.Add(loop.Named(r))
		}
	})
	return c
}

// Run runs the cleaner until ctx ends.
func (c *PodCleaner) Run(ctx context.Context) error { return c.loop.Run(ctx, 1) }

func (c *PodCleaner) reconcile(ctx context.Context, name cache.ObjectName) error {
	r, err := c.requests.PodCertificateRequests(name.Namespace).Get(name.Name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if wait := r.CreationTimestamp.Add(podRequestStays).Sub(c.now()); wait > 0 {
		c.loop.AddAfter(name, min(wait, podLookEvery))
		return nil
	}
	err = c.client.CertificatesV1().PodCertificateRequests(name.Namespace).Delete(ctx, name.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &r.UID},
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
