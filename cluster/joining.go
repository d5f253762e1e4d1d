package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"coracle/authn/bootstraptoken"
	"coracle/kubelet-sim/certificate"
)

// introduce is the client by which a node that has no certificate asks for one: system:bootstrap:ID.
func (n *ownNode) introduce(ctx context.Context) (kubernetes.Interface, func(), error) {
	token, err := n.token.take(ctx)
	if err != nil {
		return nil, nil, err
	}
	done := func() {
		if err := n.token.giveBack(ctx); err != nil {
			n.config.Log.Warn("the bootstrap token of this process's nodes stays until it is over", "id", token.ID, "error", err)
		}
	}
	config := n.clients.as("kubelet", nil)
	config.BearerToken = token.Value()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		done()
		return nil, nil, err
	}
	return client, done, nil
}

// joinToken is the bootstrap token by which the nodes of this process join. It is there while one of them needs it.
type joinToken struct {
	client kubernetes.Interface
	now    func() time.Time

	mu    sync.Mutex
	users int
	token bootstraptoken.Token
	ends  time.Time
}

// joinTokenTTL is how long a token is good that nobody deleted, since the process ended while a node waited.
const joinTokenTTL = certificate.Patience

// take returns the token, which is made for the first who needs it.
func (j *joinToken) take(ctx context.Context) (bootstraptoken.Token, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.users == 0 || !j.now().Before(j.ends.Add(-joinTokenTTL/2)) {
		token, err := bootstraptoken.New()
		if err != nil {
			return token, err
		}
		spec := bootstraptoken.Spec{
			Token: token, Description: "for the nodes of `coracle up`, until they have joined",
			Expires: j.now().Add(joinTokenTTL),
			Usages:  []string{bootstraptoken.UsageAuthentication}, Groups: []string{bootstraptoken.DefaultGroup},
		}
		if _, err := j.client.CoreV1().Secrets(bootstraptoken.Namespace).Create(ctx, spec.Secret(), metav1.CreateOptions{}); err != nil {
			return token, fmt.Errorf("make a bootstrap token: %w", err)
		}
		j.token, j.ends = token, spec.Expires
	}
	j.users++
	return j.token, nil
}

// giveBack deletes the token when nobody needs it any more.
func (j *joinToken) giveBack(ctx context.Context) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.users--; j.users > 0 || ctx.Err() != nil {
		return nil
	}
	err := j.client.CoreV1().Secrets(bootstraptoken.Namespace).Delete(ctx, bootstraptoken.NamePrefix+j.token.ID, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// approve approves the request for the certificate of the node's own API, as somebody who administers the cluster would who
// knows that the node is theirs. It is this very request: the object that the server made of what the node sent. Such requests of
// other nodes wait for a person.
func (n *ownNode) approve(ctx context.Context, made *certificatesv1.CertificateSigningRequest) {
	err := n.tryApprove(ctx, made)
	for apierrors.IsConflict(err) { // somebody else wrote: what is asked for is as it was, but there may be an answer
		var csr *certificatesv1.CertificateSigningRequest
		csr, err = n.own.CertificatesV1().CertificateSigningRequests().Get(ctx, made.Name, metav1.GetOptions{})
		if err == nil && (csr.UID != made.UID || len(csr.Status.Conditions) > 0) {
			return
		}
		if err == nil {
			err = n.tryApprove(ctx, csr)
		}
	}
	if err != nil && ctx.Err() == nil && !apierrors.IsNotFound(err) {
		n.config.Log.Warn("the request for the certificate of a node's own API waits for a person", "node", n.name, "request", made.Name, "error", err)
	}
}

func (n *ownNode) tryApprove(ctx context.Context, csr *certificatesv1.CertificateSigningRequest) error {
	csr = csr.DeepCopy()
	csr.Status.Conditions = append(csr.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "OwnNode",
		Message: fmt.Sprintf("This CSR was approved by coracle up: it runs %s itself, and saw it send this request.", n.name),
	})
	_, err := n.own.CertificatesV1().CertificateSigningRequests().UpdateApproval(ctx, csr.Name, csr, metav1.UpdateOptions{})
	return err
}
