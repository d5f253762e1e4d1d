package e2e

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"math/big"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// cmdSign signs a request that was approved with the cluster's authority, as a signer outside the cluster would, unless one
// inside was quicker.
func cmdSign(ts *testscript.TestScript, neg bool, args []string) {
	f := flag.NewFlagSet("sign", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	life := f.Duration("life", time.Hour, "for how long it will be in force; of a short one nine tenths are over already")
	if err := f.Parse(args); err != nil || f.NArg() != 1 || neg {
		ts.Fatalf("usage: sign [-life DURATION] REQUEST: %v", err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", serverOf(ts).kubeconfig())
	ts.Check(err)
	client, err := kubernetes.NewForConfig(config)
	ts.Check(err)
	api := client.CertificatesV1().CertificateSigningRequests()
	csr, err := api.Get(context.Background(), f.Arg(0), metav1.GetOptions{})
	ts.Check(err)
	if len(csr.Status.Certificate) > 0 {
		return
	}
	ca, err := tls.LoadX509KeyPair(ts.MkAbs("data/pki/ca.crt"), ts.MkAbs("data/pki/ca.key"))
	ts.Check(err)
	block, _ := pem.Decode(csr.Spec.Request)
	request, err := x509.ParseCertificateRequest(block.Bytes)
	ts.Check(err)
	began := time.Duration(0)
	if *life < time.Hour {
		began = 9
	}
	usage := x509.ExtKeyUsageClientAuth
	if csr.Spec.SignerName == "kubernetes.io/kubelet-serving" {
		usage = x509.ExtKeyUsageServerAuth
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: request.Subject,
		DNSNames: request.DNSNames, IPAddresses: request.IPAddresses,
		NotBefore: time.Now().Add(-began * *life), NotAfter: time.Now().Add(*life),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}, ca.Leaf, request.PublicKey, ca.PrivateKey)
	ts.Check(err)
	csr.Status.Certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if _, err = api.UpdateStatus(context.Background(), csr, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		ts.Check(err)
	}
}

// cmdHash prints the hash of a certificate's public key, as a joining node is told it; openssl can do the same.
func cmdHash(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: hash NAME FILE")
	}
	block, _ := pem.Decode([]byte(ts.ReadFile(args[1])))
	c, err := x509.ParseCertificate(block.Bytes)
	ts.Check(err)
	ts.Setenv(args[0], fmt.Sprintf("sha256:%x", sha256.Sum256(c.RawSubjectPublicKeyInfo)))
}

// cmdChanged waits until a file is not any more what it was.
func cmdChanged(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: changed COPY FILE")
	}
	before := ts.ReadFile(args[0])
	for begun := time.Now(); ts.ReadFile(args[1]) == before; time.Sleep(50 * time.Millisecond) {
		if time.Since(begun) > patience {
			ts.Fatalf("%s is as before after %s", args[1], patience)
		}
	}
}
