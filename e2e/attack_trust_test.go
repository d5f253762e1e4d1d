package e2e

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Nobody gets a certificate in the name of a pod that is not theirs, and nobody tells pods whom to trust, or who they are,
// without the permission to speak for the signer.
func TestAttack_PodCertificates(t *testing.T) {
	v := newVictim(t, "--nodes=2")
	const signer = "example.com/boats"
	pods := map[string]*corev1.Pod{}
	for _, node := range []string{"node-1", "node-2"} {
		pod := podWithCertificate("on-"+node, signer, "ED25519")
		pod.Spec.NodeName = node
		made, err := v.client.CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		pods[node] = made
	}
	certificate := func(name string, groups ...string) []*tls.Certificate {
		return []*tls.Certificate{forge(t, v.authority("ca"), func(c *x509.Certificate) {
			c.Subject = pkix.Name{CommonName: name, Organization: groups}
		})}
	}
	asNode := certificate("system:node:node-1", "system:nodes")
	const requests = "/apis/certificates.k8s.io/v1/namespaces/default/podcertificaterequests"
	honest := func(change ...func(*certificatesv1.PodCertificateRequestSpec)) string {
		return v.podRequest(t, pods["node-1"], signer, change...)
	}

	for name, a := range map[string]attack{
		"a node asks for its own pod": {body: honest(), want: 201},
		"for another node's pod": {body: v.podRequest(t, pods["node-2"], signer, func(s *certificatesv1.PodCertificateRequestSpec) {
			s.NodeName, s.NodeUID = "node-1", v.nodeUID(t, "node-1")
		}), want: 403, says: `pod \"default/on-node-2\" is not running on node \"node-1\" named in the PodCertificateRequest`},
		"as the other node": {body: v.podRequest(t, pods["node-2"], signer), want: 403,
			says: `PodCertificateRequest.Spec.NodeName=\"node-2\", which is not the requesting node \"node-1\"`},
		"for another account": {body: honest(func(s *certificatesv1.PodCertificateRequestSpec) { s.ServiceAccountName = "robot" }), want: 403,
			says: `contains serviceAccountName (\"robot\") that differs from running pod (\"default\")`},
		"from a signer that the pod does not name": {body: honest(func(s *certificatesv1.PodCertificateRequestSpec) { s.SignerName = "example.com/banks" }), want: 403,
			says: `does not mount a podCertificate projected volume for signer \"example.com/banks\"`},
		"for a key that it does not have": {body: honest(func(s *certificatesv1.PodCertificateRequestSpec) {
			s.StubPKCS10Request[len(s.StubPKCS10Request)-1] ^= 1
		}), want: 422, says: "spec.stubPKCS10Request: Invalid value: invalid signature"},
		"for a hundred years": {body: honest(func(s *certificatesv1.PodCertificateRequestSpec) { s.MaxExpirationSeconds = new(int32(2000000000)) }),
			want: 422, says: "spec.maxExpirationSeconds"},
		"as somebody who is no node, with no permission": {certificates: certificate("alice", "dev"), body: honest(), want: 403, says: `cannot create resource \"podcertificaterequests\"`},
		"a node watches all of them":                     {method: "GET", path: "/apis/certificates.k8s.io/v1/podcertificaterequests", want: 403, says: "can only list/watch podcertificaterequests with nodeName field selector"},
		"a node publishes whom to trust":                 {path: "/apis/certificates.k8s.io/v1/clustertrustbundles", body: `{"kind":"ClusterTrustBundle"}`, want: 403, says: `cannot create resource \"clustertrustbundles\"`},
	} {
		if a.certificates == nil {
			a.certificates = asNode
		}
		if a.method == "" {
			a.method = "POST"
		}
		if a.path == "" {
			a.path = requests
		}
		t.Run(name, func(t *testing.T) { v.run(t, a) })
	}

	// What the signer itself, or somebody in its name, may not do.
	s := newPodSigner(t, v.server.client(t), signer, "example.com:boats:a")
	runs(t, v.client, "on-node-1")
	v.answers(t, s, asNode, requests)
}

// answers are the attacks on requests that are there.
func (v *victim) answers(t *testing.T, s *podSigner, asNode []*tls.Certificate, path string) {
	list, err := s.client.CertificatesV1().PodCertificateRequests("default").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	issued := &list.Items[0]
	if len(issued.Status.Conditions) == 0 {
		t.Fatalf("not issued: %+v", issued)
	}
	write := func(r *certificatesv1.PodCertificateRequest) error {
		_, err := s.client.CertificatesV1().PodCertificateRequests("default").UpdateStatus(t.Context(), r, metav1.UpdateOptions{})
		return err
	}
	t.Run("a certificate is replaced after it was issued", func(t *testing.T) {
		again, err := s.issued(issued)
		if err != nil {
			t.Fatal(err)
		}
		refused(t, write(again), "status: Invalid value: immutable after PodCertificateRequest is issued, denied, or failed")
	})
	t.Run("a node answers its own request", func(t *testing.T) {
		body, err := json.Marshal(issued)
		if err != nil {
			t.Fatal(err)
		}
		v.run(t, attack{certificates: asNode, method: "PUT", path: path + "/" + issued.Name + "/status", body: string(body), want: 403,
			says: "nodes may not access the status subresource of PodCertificateRequests"})
	})
	t.Run("the signer speaks for another", func(t *testing.T) {
		_, err := s.client.CertificatesV1().ClusterTrustBundles().Create(t.Context(), &certificatesv1.ClusterTrustBundle{
			ObjectMeta: metav1.ObjectMeta{Name: "kubernetes.io:kube-apiserver-serving:mallory"},
			Spec:       certificatesv1.ClusterTrustBundleSpec{SignerName: "kubernetes.io/kube-apiserver-serving", TrustBundle: string(certificatePEM(s.authority.Leaf.Raw))},
		}, metav1.CreateOptions{})
		refused(t, err, `user not permitted to attest for signerName "kubernetes.io/kube-apiserver-serving"`)
	})
	// A pod of another signer's, which this one answers nevertheless; then with the right to, and another key.
	other := podWithCertificate("of-another", "example.com/banks", "ED25519")
	other.Spec.NodeName = "node-1"
	if _, err := v.client.CoreV1().Pods("default").Create(t.Context(), other, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	pending := v.pending(t, "of-another")
	answer, err := s.issued(pending)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("a signer answers for another", func(t *testing.T) {
		refused(t, write(answer), `spec.signerName: Forbidden: User "system:serviceaccount:default:signer" is not permitted to "sign" for signer "example.com/banks"`)
	})
	t.Run("the certificate is for another key", func(t *testing.T) {
		stub := pending.DeepCopy()
		stub.Spec.StubPKCS10Request = stubRequest(t)
		forged, err := s.issued(stub)
		if err != nil {
			t.Fatal(err)
		}
		answer.Status = forged.Status
		_, err = v.client.CertificatesV1().PodCertificateRequests("default").UpdateStatus(t.Context(), answer, metav1.UpdateOptions{})
		refused(t, err, "leaf certificate was not issued to the requested public key")
	})
}

// pending waits for a pod's request.
func (v *victim) pending(t *testing.T, pod string) *certificatesv1.PodCertificateRequest {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(20 * time.Millisecond) {
		list, err := v.client.CertificatesV1().PodCertificateRequests("default").List(t.Context(), metav1.ListOptions{FieldSelector: "spec.podName=" + pod})
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Items) > 0 {
			return &list.Items[0]
		}
	}
	t.Fatalf("nobody asks for a certificate for %s", pod)
	return nil
}

// nodeUID is that of a node as soon as it has registered: the server is ready before its nodes are.
func (v *victim) nodeUID(t *testing.T, name string) types.UID {
	t.Helper()
	var uid types.UID
	if err := until(t.Context(), func(ctx context.Context) (bool, error) {
		node, err := v.client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		if err == nil {
			uid = node.UID
		}
		return err == nil, err
	}); err != nil {
		t.Fatal(err)
	}
	return uid
}

// podRequest is what the pod's node would ask for, changed as said, as JSON.
func (v *victim) podRequest(t *testing.T, pod *corev1.Pod, signer string, change ...func(*certificatesv1.PodCertificateRequestSpec)) string {
	t.Helper()
	account, err := v.client.CoreV1().ServiceAccounts(pod.Namespace).Get(t.Context(), pod.Spec.ServiceAccountName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r := &certificatesv1.PodCertificateRequest{
		TypeMeta:   metav1.TypeMeta{Kind: "PodCertificateRequest", APIVersion: "certificates.k8s.io/v1"},
		ObjectMeta: metav1.ObjectMeta{GenerateName: "forged-"},
		Spec: certificatesv1.PodCertificateRequestSpec{
			SignerName: signer, PodName: pod.Name, PodUID: pod.UID, ServiceAccountName: account.Name, ServiceAccountUID: account.UID,
			NodeName: types.NodeName(pod.Spec.NodeName), NodeUID: v.nodeUID(t, pod.Spec.NodeName), StubPKCS10Request: stubRequest(t),
		},
	}
	for _, f := range change {
		f(&r.Spec)
	}
	body, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// stubRequest proves that one has a key.
func stubRequest(t *testing.T) []byte {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func refused(t *testing.T, err error, says string) {
	t.Helper()
	if !apierrors.IsInvalid(err) && !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), says) {
		t.Errorf("answered %v, want a refusal that says: %s", err, says)
	}
}
