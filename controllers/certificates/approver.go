package certificates

import (
	"context"
	"fmt"
	"log/slog"

	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/certificates/v1"

	"coracle/controllers/loop"
)

// Approver approves kubelets' requests for client certificates.
type Approver struct {
	client   kubernetes.Interface
	requests listers.CertificateSigningRequestLister
	loop     *loop.Loop[string]
}

// NewApprover makes an approver. Call it before the factory starts.
func NewApprover(client kubernetes.Interface, factory informers.SharedInformerFactory, log *slog.Logger) *Approver {
	requests := factory.Certificates().V1().CertificateSigningRequests()
	a := &Approver{client: client, requests: requests.Lister()}
	a.loop = loop.New("csrapproving", log, a.reconcile)
	loop.Watch(a.loop, requests.Informer(), func(_, r *certificatesv1.CertificateSigningRequest) {
		if r != nil && undecided(r) {
			a.loop.Add(r.Name)
		}
	})
	return a
}

// Run runs the approver until ctx ends.
func (a *Approver) Run(ctx context.Context) error { return a.loop.Run(ctx, 1) }

func undecided(r *certificatesv1.CertificateSigningRequest) bool {
	return r.Spec.SignerName == certificatesv1.KubeAPIServerClientKubeletSignerName && len(r.Status.Certificate) == 0 &&
		!has(r, certificatesv1.CertificateApproved) && !has(r, certificatesv1.CertificateDenied)
}

// permission is what who asks must have to be approved without a person's look.
type permission struct{ subresource, message string }

func (a *Approver) reconcile(ctx context.Context, name string) error {
	r, err := a.requests.Get(name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if !undecided(r) {
		return nil
	}
	request, err := parse(r.Spec.Request)
	if err != nil {
		return fmt.Errorf("unable to parse csr %q: %w", name, err)
	}
	if checkKubeletClient(request, r.Spec.Usages) != nil {
		return nil // for a person to judge
	}
	first := permission{"nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview."}
	enough := []permission{first}
	if r.Spec.Username == request.Subject.CommonName { // a node that renews its own: a smaller permission will do
		enough = []permission{{"selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview."}, first}
	}
	for _, p := range enough {
		allowed, err := a.allowed(ctx, r, p.subresource)
		if err != nil {
			return err
		}
		if allowed {
			return a.approve(ctx, r.DeepCopy(), p.message)
		}
	}
	return fmt.Errorf("csr %q is a node's, and who asks may not have it approved: %w", name, loop.ErrAgain)
}

// allowed asks whether the requester, and not this controller, may have such certificates.
func (a *Approver) allowed(ctx context.Context, r *certificatesv1.CertificateSigningRequest, subresource string) (bool, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: r.Spec.Username, UID: r.Spec.UID, Groups: r.Spec.Groups, Extra: map[string]authorizationv1.ExtraValue{},
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: "create", Group: certificatesv1.GroupName, Version: "*", Resource: "certificatesigningrequests", Subresource: subresource,
		},
	}}
	for key, values := range r.Spec.Extra {
		review.Spec.Extra[key] = authorizationv1.ExtraValue(values)
	}
	review, err := a.client.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	return review.Status.Allowed, nil
}

func (a *Approver) approve(ctx context.Context, r *certificatesv1.CertificateSigningRequest, message string) error {
	r.Status.Conditions = append(r.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "AutoApproved", Message: message,
	})
	_, err := a.client.CertificatesV1().CertificateSigningRequests().UpdateApproval(ctx, r.Name, r, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
