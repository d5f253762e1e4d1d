package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// startReal starts the real kube-apiserver and etcd, with a namespace for pods in it, if `make oracle` has built them, and else
// returns nil. Without controllers there are no service accounts, so that plugin is off.
func startReal(t *testing.T) *measured {
	t.Helper()
	built, err := filepath.Abs("../.cache/oracle")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"etcd", "kube-apiserver"} {
		if _, err := os.Stat(filepath.Join(built, name)); err != nil {
			return nil
		}
	}
	dir := t.TempDir()
	m := &measured{t: t}
	start := func(name string, args ...string) {
		cmd := exec.Command(filepath.Join(built, name), args...)
		cmd.Dir = dir
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		m.pids = append(m.pids, cmd.Process.Pid)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	token := rand.Text()
	for name, text := range map[string][]byte{
		"tokens.csv": []byte(token + `,admin,admin,"system:masters"` + "\n"),
		"sa.key":     pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ports := freePorts(t)
	client, peer := fmt.Sprintf("http://127.0.0.1:%d", ports[0]), fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	start("etcd", "--data-dir", "etcd", "--log-level", "error", "--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer)
	start("kube-apiserver", "--etcd-servers", client, "--secure-port", fmt.Sprint(ports[2]), "--bind-address", "127.0.0.1", "--cert-dir", "certs",
		"--service-account-key-file", "sa.key", "--service-account-signing-key-file", "sa.key", "--service-account-issuer", "https://example.com",
		"--token-auth-file", "tokens.csv", "--authorization-mode", "Node,RBAC", "--service-cluster-ip-range", "10.96.0.0/16",
		"--disable-admission-plugins", "ServiceAccount")
	m.url = fmt.Sprintf("https://127.0.0.1:%d", ports[2])
	m.client, err = rest.HTTPClientFor(&rest.Config{Host: m.url, BearerToken: token, TLSClientConfig: rest.TLSClientConfig{Insecure: true}, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); ; <-tick.C {
		_, err := m.do("POST", "/api/v1/namespaces", `{"metadata":{"name":"speed"}}`, "", false)
		if err == nil {
			return m
		}
		if time.Since(begun) > time.Minute {
			t.Fatalf("the real API server does not answer: %v", err)
		}
	}
}

// freePorts are three that nobody listens on, held together until all are known.
func freePorts(t *testing.T) (ports [3]int) {
	t.Helper()
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports
}
