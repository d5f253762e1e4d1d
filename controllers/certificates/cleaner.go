package certificates

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/certificates/v1"

	"coracle/controllers/loop"
)

const (
	// answeredFor is how long a request stays that was denied, has failed, or has its certificate.
	answeredFor = time.Hour
	// pendingFor is how long one stays that nobody approved, or nobody signed.
	pendingFor = 24 * time.Hour
	// lookEvery bounds the wait between two looks, so that a clock that jumps is noticed.
	lookEvery = time.Hour
)

// Cleaner deletes requests whose time is over.
type Cleaner struct {
	client   kubernetes.Interface
	requests listers.CertificateSigningRequestLister
	now      func() time.Time
	loop     *loop.Loop[string]
}

// NewCleaner makes a cleaner that goes by the clock now. Call it before the factory starts.
func NewCleaner(client kubernetes.Interface, factory informers.SharedInformerFactory, now func() time.Time, log *slog.Logger) *Cleaner {
	requests := factory.Certificates().V1().CertificateSigningRequests()
	c := &Cleaner{client: client, requests: requests.Lister(), now: now}
	c.loop = loop.New("csrcleaner", log, c.reconcile)
	loop.Watch(c.loop, requests.Informer(), func(_, r *certificatesv1.CertificateSigningRequest) {
		if r != nil {
			c.loop.Add(r.Name)
		}
	})
	return c
}

// Run runs the cleaner until ctx ends.
func (c *Cleaner) Run(ctx context.Context) error { return c.loop.Run(ctx, 1) }

func (c *Cleaner) reconcile(ctx context.Context, name string) error {
	r, err := c.requests.Get(name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	at, ok := over(r)
	if !ok {
		return nil
	}
	if wait := at.Sub(c.now()); wait >= 0 {
		c.loop.AddAfter(name, min(wait+time.Millisecond, lookEvery))
		return nil
	}
	// The version keeps one from deletion that was approved or signed just now.
	err = c.client.CertificatesV1().CertificateSigningRequests().Delete(ctx, name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &r.UID, ResourceVersion: &r.ResourceVersion},
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// over is when a request's time is over: the earliest of all reasons. It is false if there is none.
func over(r *certificatesv1.CertificateSigningRequest) (at time.Time, ok bool) {
	until := func(t time.Time, d time.Duration) {
		if end := t.Add(d); !t.IsZero() && (!ok || end.Before(at)) {
			at, ok = end, true
		}
	}
	if len(r.Status.Conditions) == 0 {
		until(r.CreationTimestamp.Time, pendingFor)
	}
	for _, c := range r.Status.Conditions {
		switch {
		case c.Type == certificatesv1.CertificateDenied, c.Type == certificatesv1.CertificateFailed:
			until(c.LastUpdateTime.Time, answeredFor)
		case c.Type != certificatesv1.CertificateApproved:
		case len(r.Status.Certificate) == 0:
			until(c.LastUpdateTime.Time, pendingFor)
		default:
			until(c.LastUpdateTime.Time, answeredFor)
			until(expiry(r.Status.Certificate), 0)
		}
	}
	return at, ok
}

func expiry(chain []byte) time.Time {
	if block, _ := pem.Decode(chain); block != nil {
		if leaf, err := x509.ParseCertificate(block.Bytes); err == nil {
			return leaf.NotAfter
		}
	}
	return time.Time{}
}
