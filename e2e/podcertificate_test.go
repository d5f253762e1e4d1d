package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Two pods speak to one another, each with the certificate that a signer gave it, and each believes the other by nothing
// but the signer's bundle.
func TestPodCertificates_TwoPodsByMutualTLS(t *testing.T) {
	s := newServer(t)
	if err := s.up(); err != nil {
		t.Fatal(err)
	}
	admin := s.client(t)
	client := kubernetes.NewForConfigOrDie(admin)
	const signer = "example.com/boats"
	newPodSigner(t, admin, signer, "example.com:boats:a")
	for name, keyType := range map[string]string{"web": "ECDSAP384", "visitor": "ED25519"} {
		if _, err := client.CoreV1().Pods("default").Create(t.Context(), podWithCertificate(name, signer, keyType), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	web, visitor := podTLS(t, s, client, "web"), podTLS(t, s, client, "visitor")
	web.ClientAuth = tls.RequireAndVerifyClientCert
	visitor.ServerName = "web.default.pod"

	here, there := net.Pipe()
	type seen struct{ who, said string }
	met := make(chan seen)
	go func() {
		conn := tls.Server(there, web)
		defer conn.Close()
		said, err := io.ReadAll(conn)
		if err != nil {
			met <- seen{said: err.Error()}
			return
		}
		met <- seen{conn.ConnectionState().PeerCertificates[0].URIs[0].String(), string(said)}
	}()
	conn := tls.Client(here, visitor)
	if _, err := conn.Write([]byte("ahoy")); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if diff := cmp.Diff(seen{"spiffe://cluster.local/ns/default/sa/default", "ahoy"}, <-met, cmp.AllowUnexported(seen{})); diff != "" {
		t.Errorf("whom web has met (-want +got):\n%s", diff)
	}

	// The key is the pod's: nothing of it is in the API.
	list, err := client.CertificatesV1().PodCertificateRequests("default").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != 2 {
		t.Errorf("%d requests for two pods", len(list.Items))
	}
}

// podTLS is what a pod finds in its volume.
func podTLS(t *testing.T, s *server, client kubernetes.Interface, pod string) *tls.Config {
	t.Helper()
	runs(t, client, pod)
	dir := filepath.Join(s.dir, "pods", "default", pod, "main", "tls")
	own := filepath.Join(dir, "pod.pem")
	certificate, err := tls.LoadX509KeyPair(own, own)
	if err != nil {
		t.Fatal(err)
	}
	anchors, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(anchors) {
		t.Fatalf("no anchors:\n%s", anchors)
	}
	return &tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: trusted, ClientCAs: trusted}
}
