package certificate

import (
	"context"
	"errors"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// RefusedError is returned when a request is denied, or cannot be signed. To ask the same again is of no use.
type RefusedError struct{ how, reason, message string }

func (e *RefusedError) Error() string {
	return fmt.Sprintf("certificate signing request %s, reason: %s, message: %s", e.how, e.reason, e.message)
}

// watchAgain is the pause before a watch that ended begins again.
const watchAgain = time.Second

// submit sends a request, or finds the one of that name that was sent before. What the server says of it later is for await.
func submit(ctx context.Context, client kubernetes.Interface, t Template, r *request) (*certificatesv1.CertificateSigningRequest, error) {
	api := client.CertificatesV1().CertificateSigningRequests()
	csr := &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: r.name},
		Spec:       certificatesv1.CertificateSigningRequestSpec{Request: r.text, SignerName: t.Signer, Usages: t.Usages},
	}
	if r.name == "" {
		csr.GenerateName = "csr-"
	}
	made, err := api.Create(ctx, csr, metav1.CreateOptions{})
	if r.name != "" && apierrors.IsAlreadyExists(err) {
		made, err = api.Get(ctx, r.name, metav1.GetOptions{})
	}
	if err != nil {
		return nil, fmt.Errorf("cannot create certificate signing request: %w", err)
	}
	return made, nil
}

// await waits until the request is signed, and returns the certificate, PEM.
func await(ctx context.Context, client kubernetes.Interface, asked *certificatesv1.CertificateSigningRequest) ([]byte, error) {
	options := metav1.ListOptions{FieldSelector: "metadata.name=" + asked.Name} // the watch begins with what is there
	for {
		certificate, err := follow(ctx, client, asked, options)
		if certificate != nil || err != nil {
			return certificate, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("certificate signing request %s was not signed in time: %w", asked.Name, ctx.Err())
		case <-time.After(watchAgain):
		}
	}
}

// follow watches the request until it is decided; it returns nothing when the watch ended before that.
func follow(ctx context.Context, client kubernetes.Interface, asked *certificatesv1.CertificateSigningRequest, options metav1.ListOptions) ([]byte, error) {
	api := client.CertificatesV1().CertificateSigningRequests()
	events, err := api.Watch(ctx, options)
	if err != nil {
		return nil, nil // the server may be away for a while
	}
	defer events.Stop()
	defer context.AfterFunc(ctx, events.Stop)()
	for event := range events.ResultChan() {
		csr, ok := event.Object.(*certificatesv1.CertificateSigningRequest)
		if !ok || csr.Name != asked.Name {
			continue
		}
		if event.Type == watch.Deleted || csr.UID != asked.UID {
			return nil, fmt.Errorf("certificate signing request %s was deleted", asked.Name)
		}
		if certificate, err := decided(csr); certificate != nil || err != nil {
			return certificate, err
		}
	}
	return nil, nil
}

// decided is the certificate, or why there will be none, or nothing yet.
func decided(csr *certificatesv1.CertificateSigningRequest) ([]byte, error) {
	approved := false
	for _, c := range csr.Status.Conditions {
		switch c.Type {
		case certificatesv1.CertificateDenied:
			return nil, &RefusedError{"is denied", c.Reason, c.Message}
		case certificatesv1.CertificateFailed:
			return nil, &RefusedError{"failed", c.Reason, c.Message}
		case certificatesv1.CertificateApproved:
			approved = true
		}
	}
	if !approved || len(csr.Status.Certificate) == 0 {
		return nil, nil
	}
	return csr.Status.Certificate, nil
}

// refused tells whether an error says that asking again is of no use.
func refused(err error) bool {
	_, ok := errors.AsType[*RefusedError](err)
	return ok
}
