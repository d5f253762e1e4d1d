package e2e

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// podSigner answers PodCertificateRequests for one signer name, as somebody would who runs one in a cluster: with an
// account that may do this and nothing else. A certificate says for whom it is by a URI, as SPIFFE's do.
type podSigner struct {
	name      string
	authority *tls.Certificate
	client    kubernetes.Interface
}

// newPodSigner makes the account, publishes the signer's authority, and answers until the test ends.
func newPodSigner(t *testing.T, admin *rest.Config, name, bundle string) *podSigner {
	t.Helper()
	authority, err := issue(&x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &podSigner{name: name, authority: authority, client: signerAccount(t, admin, name)}
	if _, err := s.client.CertificatesV1().ClusterTrustBundles().Create(t.Context(), &certificatesv1.ClusterTrustBundle{
		ObjectMeta: metav1.ObjectMeta{Name: bundle},
		Spec:       certificatesv1.ClusterTrustBundleSpec{SignerName: name, TrustBundle: string(certificatePEM(authority.Leaf.Raw))},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

// signerAccount is a client with an account of its own.
func signerAccount(t *testing.T, admin *rest.Config, signer string) kubernetes.Interface {
	t.Helper()
	client, ctx := kubernetes.NewForConfigOrDie(admin), t.Context()
	group := []string{certificatesv1.GroupName}
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "signer"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: group, Resources: []string{"podcertificaterequests"}, Verbs: []string{"list", "watch"}},
		{APIGroups: group, Resources: []string{"podcertificaterequests/status"}, Verbs: []string{"update"}},
		{APIGroups: group, Resources: []string{"clustertrustbundles"}, Verbs: []string{"create"}},
		{APIGroups: group, Resources: []string{"signers"}, ResourceNames: []string{signer}, Verbs: []string{"sign", "attest"}},
	}}
	_, err := client.RbacV1().ClusterRoles().Create(ctx, role, metav1.CreateOptions{})
	if err == nil {
		_, err = client.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "signer"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "signer"},
			Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "default", Name: "signer"}},
		}, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	config := rest.AnonymousClientConfig(admin)
	config.QPS = -1
	config.BearerToken = (&victim{client: client}).token(t, "default", "signer", nil)
	return kubernetes.NewForConfigOrDie(config)
}

// run answers what there is and what comes. Field selectors find the signer's own requests.
func (s *podSigner) run(ctx context.Context) error {
	only := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("spec.signerName", s.name).String()}
	api := s.client.CertificatesV1().PodCertificateRequests(metav1.NamespaceAll)
	list, err := api.List(ctx, only)
	if err != nil {
		return err
	}
	for i := range list.Items {
		if err := s.answer(ctx, &list.Items[i]); err != nil {
			return err
		}
	}
	only.ResourceVersion = list.ResourceVersion
	watch, err := api.Watch(ctx, only)
	if err != nil {
		return err
	}
	defer watch.Stop()
	for event := range watch.ResultChan() {
		if r, ok := event.Object.(*certificatesv1.PodCertificateRequest); ok && event.Type == "ADDED" {
			if err := s.answer(ctx, r); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
	if ctx.Err() == nil {
		return errors.New("the signer's watch has ended")
	}
	return nil
}

func (s *podSigner) answer(ctx context.Context, r *certificatesv1.PodCertificateRequest) error {
	if len(r.Status.Conditions) > 0 {
		return nil
	}
	r, err := s.issued(r)
	if err != nil {
		return err
	}
	_, err = s.client.CertificatesV1().PodCertificateRequests(r.Namespace).UpdateStatus(ctx, r, metav1.UpdateOptions{})
	return err
}

// issued is the request with a certificate.
func (s *podSigner) issued(r *certificatesv1.PodCertificateRequest) (*certificatesv1.PodCertificateRequest, error) {
	stub, err := x509.ParseCertificateRequest(r.Spec.StubPKCS10Request)
	if err != nil {
		return nil, err
	}
	begin := time.Now().Truncate(time.Second)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: begin, NotAfter: begin.Add(time.Hour),
		URIs:        []*url.URL{{Scheme: "spiffe", Host: "cluster.local", Path: "/ns/" + r.Namespace + "/sa/" + r.Spec.ServiceAccountName}},
		DNSNames:    []string{r.Spec.PodName + "." + r.Namespace + ".pod"},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, s.authority.Leaf, stub.PublicKey, s.authority.PrivateKey)
	if err != nil {
		return nil, err
	}
	r = r.DeepCopy()
	r.Status = certificatesv1.PodCertificateRequestStatus{
		CertificateChain: string(certificatePEM(der)),
		NotBefore:        new(metav1.NewTime(leaf.NotBefore)),
		BeginRefreshAt:   new(metav1.NewTime(leaf.NotBefore.Add(30 * time.Minute))),
		NotAfter:         new(metav1.NewTime(leaf.NotAfter)),
		Conditions: []metav1.Condition{{
			Type: certificatesv1.PodCertificateRequestConditionTypeIssued, Status: metav1.ConditionTrue, Reason: "Issued",
			Message: "Certificate issued", LastTransitionTime: metav1.Now(),
		}},
	}
	return r, nil
}

func certificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// podWithCertificate is a pod of the namespace default that has a key, a certificate and whom to trust in /tls.
func podWithCertificate(name, signer, keyType string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "main", Image: "nginx", VolumeMounts: []corev1.VolumeMount{{Name: "tls", MountPath: "/tls"}}}},
			Volumes: []corev1.Volume{{Name: "tls", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
				{PodCertificate: &corev1.PodCertificateProjection{SignerName: signer, KeyType: keyType, CredentialBundlePath: "pod.pem"}},
				{ClusterTrustBundle: &corev1.ClusterTrustBundleProjection{SignerName: &signer, LabelSelector: &metav1.LabelSelector{}, Path: "ca.pem"}},
			}}}}},
		},
	}
}

// runs waits until a pod is ready.
func runs(t *testing.T, client kubernetes.Interface, name string) {
	t.Helper()
	last := ""
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(20 * time.Millisecond) {
		pod, err := client.CoreV1().Pods("default").Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				return
			}
		}
		last = fmt.Sprintf("%+v", pod.Status)
	}
	t.Fatalf("the pod %s is not ready after %s: %s", name, patience, last)
}
