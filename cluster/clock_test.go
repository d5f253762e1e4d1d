package cluster

import (
	"context"
	"crypto/x509"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"coracle/authn/pki"
)

// TestOneClockDecides starts a cluster whose clock is a month behind, and moves it on. A node joins by a token that was over long ago
// by the machine's clock, and replaces a certificate that is good by it: whoever asked the machine would see neither.
func TestOneClockDecides(t *testing.T) {
	const behind = -30 * 24 * time.Hour
	var offset atomic.Int64
	offset.Store(int64(behind))
	now := func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
	dir := t.TempDir()
	c, err := Start(t.Context(), Config{
		DataDir: dir, Nodes: 1, Authentication: DefaultAuthentication(), ClusterSigningDuration: 24 * time.Hour,
		Now: now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client := kubernetes.NewForConfigOrDie(config)
	until := func(what string, done func(context.Context) bool) {
		t.Helper()
		if err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) { return done(ctx), nil }); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	until("the node joins", func(ctx context.Context) bool {
		_, err := client.CoreV1().Nodes().Get(ctx, "node-1", metav1.GetOptions{})
		return err == nil
	})
	until("the node gives a sign of life", func(ctx context.Context) bool {
		_, err := client.CoordinationV1().Leases("kube-node-lease").Get(ctx, "node-1", metav1.GetOptions{})
		return err == nil
	})
	list, err := client.CertificatesV1().CertificateSigningRequests().List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) == 0 {
		t.Fatalf("%d requests: %v", len(list.Items), err)
	}
	for _, csr := range list.Items {
		for _, condition := range csr.Status.Conditions {
			if condition.Type == certificatesv1.CertificateApproved && now().Sub(condition.LastUpdateTime.Time) > time.Minute {
				t.Errorf("%s was approved at %s, and it is %s", csr.Name, condition.LastUpdateTime, now())
			}
		}
	}
	certificate := func() *x509.Certificate {
		data, err := os.ReadFile(filepath.Join(dir, "nodes", "node-1", "pki", "kubelet-client-current.pem"))
		if err != nil {
			t.Fatal(err)
		}
		certs, err := pki.ParseCertificates(data)
		if err != nil {
			t.Fatal(err)
		}
		return certs[0]
	}
	first := certificate()
	if first.NotAfter.After(time.Now()) || !first.NotAfter.After(now()) {
		t.Errorf("it ends on %s, and it is %s", first.NotAfter, now())
	}
	offset.Store(int64(behind + 25*time.Hour)) // past its end
	until("the node comes in anew", func(context.Context) bool { return certificate().NotAfter.After(now()) })
	before, err := client.CoordinationV1().Leases("kube-node-lease").Get(t.Context(), "node-1", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	until("it gives another", func(ctx context.Context) bool {
		after, err := client.CoordinationV1().Leases("kube-node-lease").Get(ctx, "node-1", metav1.GetOptions{})
		return err == nil && after.Spec.RenewTime.After(before.Spec.RenewTime.Time)
	})
}
