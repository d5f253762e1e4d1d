package podcertificate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// jitter at most is added to what the signer says, so that not all come at once.
	jitter = 5 * time.Minute
	// lostAfter is when a request that the watch does not show, and jitter later, counts as deleted by somebody: until then
	// the watch may be behind.
	lostAfter = 10 * time.Minute
	// overdueAfter is when a certificate that should have been replaced is worth an event.
	overdueAfter = 10 * time.Minute
	// askAgain is the pause after a new certificate could not be asked for, while the old one is still there.
	askAgain = 10 * time.Second
)

// source is one podCertificate source, from the first request to the pod's end. A kubelet that starts again knows
// nothing of keys that it made before, and begins anew.
type source struct {
	*Manager
	now     Credential // empty before the first is issued
	refresh time.Time  // when to ask for the next
	expires time.Time
	told    struct{ overdue, expired bool } // by events, of the present one
	pending *request
	refused error // by the signer, for good
}

// request is one that is under way.
type request struct {
	key  []byte // PEM
	name string
	lost time.Time // when to give it up if it is not to be seen
}

// step goes on as far as it can without waiting for the signer.
func (s *source) step(ctx context.Context, pod *corev1.Pod, wanted *corev1.PodCertificateProjection) (Credential, time.Time, error) {
	now := s.config.Now()
	if s.pending != nil {
		s.take(pod, now)
	}
	if s.refused != nil {
		return Credential{}, time.Time{}, s.refused
	}
	first := s.now.Key == nil
	if !first {
		s.tellOfTime(pod, now)
	}
	if s.pending == nil && (first || !now.Before(s.refresh)) {
		if err := s.ask(ctx, pod, wanted); err != nil {
			s.config.Log.Warn("cannot ask for a certificate", "namespace", pod.Namespace, "pod", pod.Name, "signer", wanted.SignerName, "err", err)
			if !first {
				return s.now, now.Add(askAgain), nil
			}
		}
	}
	if first {
		return Credential{}, time.Time{}, errNotIssued
	}
	return s.now, s.next(now), nil
}

// next is when something is to be done without anybody's saying so.
func (s *source) next(now time.Time) (next time.Time) {
	times := []time.Time{s.refresh.Add(overdueAfter), s.expires}
	if s.pending == nil {
		times = append(times, s.refresh)
	} else {
		times = append(times, s.pending.lost)
	}
	for _, at := range times {
		// At such a time nothing is over: a moment later it is.
		if at = at.Add(time.Millisecond); at.After(now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// take takes up the answer to the request that is under way, if there is one.
func (s *source) take(pod *corev1.Pod, now time.Time) {
	r, ok := s.requests.Get(pod.Namespace, s.pending.name)
	if !ok {
		if now.After(s.pending.lost) {
			s.config.Log.Warn("a request for a certificate is gone", "namespace", pod.Namespace, "pod", pod.Name, "request", s.pending.name)
			s.pending = nil
		}
		return
	}
	for _, c := range r.Status.Conditions {
		name := r.Namespace + "/" + r.Name
		switch c.Type {
		case certificatesv1.PodCertificateRequestConditionTypeDenied:
			s.refuse(pod, c, "PodCertificateRequest was permanently denied", fmt.Sprintf("PodCertificateRequest %s was denied", name))
		case certificatesv1.PodCertificateRequestConditionTypeFailed:
			s.refuse(pod, c, "PodCertificateRequest was permanently failed", fmt.Sprintf("PodCertificateRequest %s failed", name))
		case certificatesv1.PodCertificateRequestConditionTypeIssued:
			s.now = Credential{Key: s.pending.key, Chain: clean(r.Status.CertificateChain)}
			s.refresh, s.expires = at(r.Status.BeginRefreshAt).Add(rand.N(jitter)), at(r.Status.NotAfter)
			s.told.overdue, s.told.expired = false, false
			s.pending = nil
		default:
			continue
		}
		return
	}
}

func (s *source) refuse(pod *corev1.Pod, c metav1.Condition, sentence, event string) {
	why := fmt.Sprintf("reason=%q message=%q", c.Reason, c.Message)
	s.refused = fmt.Errorf("%s: %s", sentence, why)
	s.pending, s.now = nil, Credential{}
	s.config.Event(pod, corev1.EventTypeWarning, c.Type, fmt.Sprintf("%s, reason=%q, message=%q", event, c.Reason, c.Message))
}

// tellOfTime records once that a certificate is not replaced in time, and once that it is over.
func (s *source) tellOfTime(pod *corev1.Pod, now time.Time) {
	if now.After(s.refresh.Add(overdueAfter)) && !s.told.overdue {
		s.told.overdue = true
		s.config.Event(pod, corev1.EventTypeWarning, "CertificateOverdueForRefresh", "PodCertificate refresh overdue")
	}
	if now.After(s.expires) && !s.told.expired {
		s.told.expired = true
		s.config.Event(pod, corev1.EventTypeWarning, "CertificateExpired", "PodCertificate expired")
	}
}

// ask makes a key and a request. The API server takes it from a node only if all of it is so: that the pod is the one
// that runs here, as this account.
func (s *source) ask(ctx context.Context, pod *corev1.Pod, wanted *corev1.PodCertificateProjection) error {
	core := s.config.Client.CoreV1()
	account, err := core.ServiceAccounts(pod.Namespace).Get(ctx, pod.Spec.ServiceAccountName, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("while fetching service account: %w", err)
	}
	node, err := core.Nodes().Get(ctx, s.config.NodeName, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("while getting node object: %w", err)
	}
	key, proof, err := keyAndProof(wanted.KeyType)
	if err != nil {
		return fmt.Errorf("while generating keypair: %w", err)
	}
	made, err := s.config.Client.CertificatesV1().PodCertificateRequests(pod.Namespace).Create(ctx, &certificatesv1.PodCertificateRequest{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace, GenerateName: "req-",
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID}},
		},
		Spec: certificatesv1.PodCertificateRequestSpec{
			SignerName:                wanted.SignerName,
			PodName:                   pod.Name,
			PodUID:                    pod.UID,
			ServiceAccountName:        account.Name,
			ServiceAccountUID:         account.UID,
			NodeName:                  types.NodeName(node.Name),
			NodeUID:                   node.UID,
			MaxExpirationSeconds:      wanted.MaxExpirationSeconds,
			StubPKCS10Request:         proof,
			UnverifiedUserAnnotations: wanted.UserAnnotations,
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("while creating on API: %w", err)
	}
	s.pending = &request{key: key, name: made.Name, lost: made.CreationTimestamp.Add(lostAfter + rand.N(jitter))}
	return nil
}

// at is the time of a field that the API server demands of an issued request.
func at(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}
