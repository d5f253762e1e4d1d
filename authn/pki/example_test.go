package pki_test

import (
	"fmt"
	"os"
	"path/filepath"

	"coracle/authn/pki"
)

// A cluster's first start: everything is made. At later starts the same calls find it again.
func Example() {
	dir, err := os.MkdirTemp("", "pki")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	p, err := pki.Open(filepath.Join(dir, "pki"), pki.Options{ServerNames: []string{"coracle.example"}})
	if err != nil {
		panic(err)
	}
	defer p.Close()
	if _, err := p.Kubeconfig(filepath.Join(dir, "admin.conf"), "https://127.0.0.1:6443", pki.Admin()); err != nil {
		panic(err)
	}
	server := p.ServingCertificate().Leaf
	fmt.Println(server.Subject, "issued by", server.Issuer)
	fmt.Println(server.DNSNames)
	// Output:
	// CN=kube-apiserver issued by CN=kubernetes
	// [coracle.example kubernetes kubernetes.default kubernetes.default.svc kubernetes.default.svc.cluster.local localhost]
}
