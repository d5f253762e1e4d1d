package kubeletsim

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"
)

// projects gives the pod a volume at /tls.
func projects(sources ...corev1.VolumeProjection) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: "tls", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: sources}}})
		pod.Spec.Containers[0].VolumeMounts = append(pod.Spec.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "tls", MountPath: "/tls", ReadOnly: true})
	}
}

func anchor(text string) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(text)}))
}

func TestVolumes_TrustBundle(t *testing.T) {
	inCluster(t, func(c *cluster) {
		const signer = "example.com/boats"
		c.create(newPod("web", projects(corev1.VolumeProjection{ClusterTrustBundle: &corev1.ClusterTrustBundleProjection{
			SignerName: new(signer), LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"live": "yes"}}, Path: "ca.pem",
		}})))
		c.wantState("web", "Pending web=ContainerCreating")
		want := []string{`FailedMount: MountVolume.SetUp failed for volume "tls" : combination of signerName and labelSelector matched zero ClusterTrustBundles`}
		if diff := cmp.Diff(want, c.events()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		api := c.client.CertificatesV1().ClusterTrustBundles()
		bundle := &certificatesv1.ClusterTrustBundle{
			ObjectMeta: metav1.ObjectMeta{Name: "example.com:boats:a", Labels: map[string]string{"live": "yes"}},
			Spec:       certificatesv1.ClusterTrustBundleSpec{SignerName: signer, TrustBundle: anchor("one")},
		}
		read := func() string { return c.read("pods/blue/web/web/tls/ca.pem") }
		if _, err := api.Create(c.Context(), bundle, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		c.settle() // without any time going by
		c.wantState("web", "Running web=running")
		if got := read(); got != anchor("one") {
			t.Errorf("anchors: %s", got)
		}
		bundle.Spec.TrustBundle = anchor("two")
		if _, err := api.Update(c.Context(), bundle, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		c.settle()
		if got := read(); got != anchor("two") {
			t.Errorf("after a change: %s", got)
		}
		bundle.Labels["live"] = "no"
		if _, err := api.Update(c.Context(), bundle, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		c.pass(time.Second)
		c.wantState("web", "Running web=running") // what runs is left alone
		if got := read(); got != anchor("two") {
			t.Errorf("when nothing is selected any more: %s, want what it was", got)
		}
	})
}

func TestVolumes_PodCertificate(t *testing.T) {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "some-sa", UID: "account-uid"}}
	inCluster(t, func(c *cluster) {
		last := c.serveRequests()
		source := corev1.VolumeProjection{PodCertificate: &corev1.PodCertificateProjection{SignerName: "example.com/boats", KeyType: "ED25519", CredentialBundlePath: "web.pem"}}
		c.create(newPod("web", projects(source)))
		c.create(newPod("bad", projects(source)))
		c.wantState("web", "Pending web=ContainerCreating")
		if got := c.events()[0]; !strings.HasPrefix(got, `FailedMount: MountVolume.SetUp failed for volume "tls" : credential bundle is not issued yet`) {
			t.Errorf("event %q", got)
		}
		end := func(pod, kind string) {
			t.Helper()
			api := c.client.CertificatesV1().PodCertificateRequests("blue")
			r, err := api.Get(c.Context(), last(pod), metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if kind == certificatesv1.PodCertificateRequestConditionTypeIssued {
				r.Status.CertificateChain = issue(t, r)
			}
			r.Status.BeginRefreshAt, r.Status.NotAfter = new(metav1.NewTime(time.Now().Add(time.Hour))), new(metav1.NewTime(time.Now().Add(2*time.Hour)))
			r.Status.Conditions = []metav1.Condition{{Type: kind, Status: metav1.ConditionTrue, Reason: "Rule", Message: "no boats"}}
			if _, err := api.UpdateStatus(c.Context(), r, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			c.settle() // without any time going by
		}
		end("web", certificatesv1.PodCertificateRequestConditionTypeIssued)
		end("bad", certificatesv1.PodCertificateRequestConditionTypeDenied)
		c.wantState("web", "Running web=running")
		c.wantState("bad", "Pending web=ContainerCreating")
		bundle := []byte(c.read("pods/blue/web/web/tls/web.pem"))
		if _, err := tls.X509KeyPair(bundle, bundle); err != nil {
			t.Errorf("%v:\n%s", err, bundle)
		}
		var told []string
		for _, line := range c.events() {
			if strings.Contains(line, "enied") {
				told = append(told, line)
			}
		}
		want := []string{
			`Denied: PodCertificateRequest blue/req-1-of-bad was denied, reason="Rule", message="no boats"`,
			`FailedMount: MountVolume.SetUp failed for volume "tls" : PodCertificateRequest was permanently denied: reason="Rule" message="no boats"`,
		}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}

		// A kubelet that starts again has forgotten the key. The pod keeps its file until there is another.
		c.restartAfter(time.Minute)
		c.wantState("web", "Running web=running")
		if got := c.read("pods/blue/web/web/tls/web.pem"); got != string(bundle) || last("web") != "req-2-of-web" {
			t.Errorf("after a restart: asked by %s, and the file is\n%s", last("web"), got)
		}
		end("web", certificatesv1.PodCertificateRequestConditionTypeIssued)
		if got := []byte(c.read("pods/blue/web/web/tls/web.pem")); string(got) == string(bundle) {
			t.Error("the file is still the old one")
		} else if _, err := tls.X509KeyPair(got, got); err != nil {
			t.Errorf("%v:\n%s", err, got)
		}
	}, account)
}

// serveRequests names requests as the server does, by whom they are for. The newest of a pod is last's.
func (c *cluster) serveRequests() (last func(pod string) string) {
	var mu sync.Mutex
	made := map[string]int{}
	name := func(pod string) string { return fmt.Sprintf("req-%d-of-%s", made[pod], pod) }
	c.on("create", "podcertificaterequests", func(action clienttesting.Action) (bool, runtime.Object, error) {
		r := action.(clienttesting.CreateActionImpl).GetObject().(*certificatesv1.PodCertificateRequest)
		mu.Lock()
		defer mu.Unlock()
		made[r.Spec.PodName]++
		r.Name, r.CreationTimestamp = name(r.Spec.PodName), metav1.Now()
		return false, nil, nil
	})
	return func(pod string) string {
		mu.Lock()
		defer mu.Unlock()
		return name(pod)
	}
}

// issue signs what a request proves to have.
func issue(t *testing.T, r *certificatesv1.PodCertificateRequest) string {
	t.Helper()
	request, err := x509.ParseCertificateRequest(r.Spec.StubPKCS10Request)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(2 * time.Hour)}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(nil, leaf, leaf, request.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
