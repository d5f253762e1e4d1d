package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"flag"
	"io"
	"math/big"
	"os"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// cmdCertify makes NAME.crt and NAME.key, and NAME.conf to use them with: what openssl is for, so that it need not be installed.
func cmdCertify(ts *testscript.TestScript, neg bool, args []string) {
	f := flag.NewFlagSet("certify", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	ca := f.String("ca", "$DATA/pki/ca", "the authority's files, less .crt and .key; self: none")
	cn := f.String("cn", "", "common name (default: NAME)")
	groups := f.String("groups", "", "organizations, by commas")
	uid := f.String("uid", "", "UID attribute")
	server := f.Bool("server", false, "for servers, not for clients")
	expired := f.Bool("expired", false, "no longer in force")
	if err := f.Parse(args); err != nil || f.NArg() != 1 || neg {
		ts.Fatalf("usage: certify [-ca FILES] [-cn NAME] [-groups A,B] [-uid UID] [-server] [-expired] NAME: %v", err)
	}
	name := f.Arg(0)
	if *cn == "" {
		*cn = name
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: *cn},
		NotBefore:    time.Now().Add(-2 * time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if *groups != "" {
		template.Subject.Organization = strings.Split(*groups, ",")
	}
	if *uid != "" { // Kubernetes' attribute for the user's UID
		template.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57683, 2}, Value: *uid}}
	}
	if *server {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	if *expired {
		template.NotAfter = time.Now().Add(-time.Hour)
	}
	var by *tls.Certificate
	if *ca == "self" {
		template.IsCA, template.BasicConstraintsValid = true, true
		template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageCertSign, nil
	} else {
		files := ts.MkAbs(strings.ReplaceAll(*ca, "$DATA", ts.Getenv("DATA")))
		pair, err := tls.LoadX509KeyPair(files+".crt", files+".key")
		ts.Check(err)
		by = &pair
	}
	issued, err := issue(template, by)
	ts.Check(err)
	private, err := x509.MarshalPKCS8PrivateKey(issued.PrivateKey)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(name+".crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issued.Leaf.Raw}), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))

	config := clientcmdapi.NewConfig()
	config.Clusters["coracle"] = &clientcmdapi.Cluster{Server: ts.Getenv("API"), CertificateAuthority: ts.MkAbs("data/pki/ca.crt")}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{ClientCertificate: ts.MkAbs(name + ".crt"), ClientKey: ts.MkAbs(name + ".key")}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: "coracle", AuthInfo: name}
	config.CurrentContext = name
	ts.Check(clientcmd.WriteToFile(*config, ts.MkAbs(name+".conf")))
}

// issue makes a key and a certificate for it, signed by an authority, or by itself for nil.
func issue(template *x509.Certificate, by *tls.Certificate) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	parent, signer := template, any(key)
	if by != nil {
		parent, signer = by.Leaf, by.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}
