package certificates_test

import (
	"sync/atomic"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coracle/controllers/certificates"
	"coracle/controllers/looptest"
)

func TestPodCleaner(t *testing.T) {
	for name, conditions := range map[string][]metav1.Condition{
		"a request that nobody has answered": nil,
		"one that was answered":              {{Type: certificatesv1.PodCertificateRequestConditionTypeIssued, Status: metav1.ConditionTrue}},
	} {
		t.Run(name, func(t *testing.T) {
			looptest.Run(t, nil, func(t *testing.T, w *looptest.World) {
				api := w.Client.CertificatesV1().PodCertificateRequests("blue")
				w.Add(&certificatesv1.PodCertificateRequest{
					ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "req-1", CreationTimestamp: metav1.Now()},
					Status:     certificatesv1.PodCertificateRequestStatus{Conditions: conditions},
				})
				w.Start(certificates.NewPodCleaner(w.Client, w.Factory, time.Now, w.Log))
				w.Advance(15*time.Minute - time.Second)
				if _, err := api.Get(t.Context(), "req-1", metav1.GetOptions{}); err != nil {
					t.Errorf("a second before its time: %v", err)
				}
				w.Advance(time.Second)
				if _, err := api.Get(t.Context(), "req-1", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
					t.Errorf("it is still there: %v", err)
				}
			})
		})
	}
	t.Run("a clock that jumps is noticed", func(t *testing.T) {
		looptest.Run(t, nil, func(t *testing.T, w *looptest.World) {
			api := w.Client.CertificatesV1().PodCertificateRequests("blue")
			w.Add(&certificatesv1.PodCertificateRequest{
				ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "req-1", CreationTimestamp: metav1.Now()},
			})
			var jump atomic.Int64
			w.Start(certificates.NewPodCleaner(w.Client, w.Factory, func() time.Time { return time.Now().Add(time.Duration(jump.Load())) }, w.Log))
			jump.Store(int64(time.Hour))
			w.Advance(5 * time.Minute)
			if _, err := api.Get(t.Context(), "req-1", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
				t.Errorf("it is still there: %v", err)
			}
		})
	})
}
