package counterparts

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// patience is how long anything that happens in milliseconds may take on a machine that is busy.
const patience = 30 * time.Second

// cluster is a running `coracle up`.
type cluster struct {
	t     *testing.T
	dir   string // its data
	url   string
	admin *http.Client
}

// coracle is the program.
func coracle(t *testing.T) string {
	t.Helper()
	path := os.Getenv("CORACLE")
	if path == "" {
		path = filepath.Join("..", "..", "bin", "coracle")
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run `make counterparts`, which builds it", err)
	}
	return path
}

// up starts a cluster.
func up(t *testing.T, flags ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: filepath.Join(t.TempDir(), "data")}
	var output bytes.Buffer
	cmd := exec.Command(coracle(t), append([]string{"up", "--data-dir", c.dir, "--secure-port", "0", "--nodes", "0"}, flags...)...)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { cmd.Wait(); close(exited) }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-exited
		if t.Failed() {
			t.Logf("coracle said:\n%s", output.String())
		}
	})
	server, data := regexp.MustCompile(`server: (\S+)`), regexp.MustCompile(`client-(certificate|key)-data: (\S+)`)
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(20 * time.Millisecond) {
		select {
		case <-exited:
			t.Fatal("coracle ended")
		default:
		}
		conf, err := os.ReadFile(filepath.Join(c.dir, "kubeconfigs", "admin.conf"))
		if err != nil || server.FindSubmatch(conf) == nil {
			continue
		}
		pair := map[string][]byte{}
		for _, m := range data.FindAllSubmatch(conf, -1) {
			if pair[string(m[1])], err = base64.StdEncoding.DecodeString(string(m[2])); err != nil {
				t.Fatal(err)
			}
		}
		certificate, err := tls.X509KeyPair(pair["certificate"], pair["key"])
		if err != nil {
			t.Fatal(err)
		}
		c.url = string(server.FindSubmatch(conf)[1])
		c.admin = c.client(certificate)
		if answer, err := c.admin.Get(c.url + "/readyz"); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return c
			}
		}
	}
	t.Fatal("coracle is not ready")
	return nil
}

func (c *cluster) ca() string { return filepath.Join(c.dir, "pki", "ca.crt") }

// client trusts the cluster, and presents a certificate if there is one.
func (c *cluster) client(certificates ...tls.Certificate) *http.Client {
	pool := x509.NewCertPool()
	b, err := os.ReadFile(c.ca())
	if err != nil || !pool.AppendCertsFromPEM(b) {
		c.t.Fatalf("the cluster's authority: %v", err)
	}
	return &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: certificates}, ForceAttemptHTTP2: true}}
}

// do sends a request, and reads the answer into one string.
func do(t *testing.T, client *http.Client, method, url, body string, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(b)
}

// must sends a request as the administrator, and reads the answer into a value.
func (c *cluster) must(method, path, body string, into any) {
	c.t.Helper()
	code, text := do(c.t, c.admin, method, c.url+path, body)
	if code >= 300 {
		c.t.Fatalf("%s %s: %d %s", method, path, code, text)
	}
	if into != nil {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			c.t.Fatal(err)
		}
	}
}

// who is what a server says of whoever asks: name and groups, or the status code of a refusal.
func who(t *testing.T, client *http.Client, url string, header ...string) string {
	t.Helper()
	code, text := do(t, client, "POST", url+"/apis/authentication.k8s.io/v1/selfsubjectreviews", `{"kind":"SelfSubjectReview","apiVersion":"authentication.k8s.io/v1"}`, header...)
	if code != http.StatusCreated {
		return fmt.Sprint(code)
	}
	var review struct {
		Status struct {
			UserInfo struct {
				Username string
				Groups   []string
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &review); err != nil {
		t.Fatal(err)
	}
	return review.Status.UserInfo.Username + " " + strings.Join(review.Status.UserInfo.Groups, ",")
}

// program is where a program is. Without it the test is skipped, or fails if all counterparts ought to be there.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin") {
		if p := filepath.Join(dir, name); isProgram(p) {
			return p
		}
	}
	missing(t, name)
	return ""
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir() && info.Mode()&0o111 != 0
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("COUNTERPARTS") == "all" {
		t.Fatalf("%s is not installed", what)
	}
	t.Skipf("%s is not installed", what)
}

// started runs a program until the test ends, and returns the lines that it prints.
func started(t *testing.T, cmd *exec.Cmd) <-chan string {
	t.Helper()
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		for range lines {
		}
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", cmd.Path, said.String())
		}
	})
	return lines
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(50 * time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatalf("not within %s: %s", patience, what)
}

// certificate makes one for servers on loopback that signs itself, also as files.
func certificate(t *testing.T) (pair tls.Certificate, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "issuer"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	certFile, keyFile = write("issuer.crt", "CERTIFICATE", der), write("issuer.key", "PRIVATE KEY", keyDER)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, certFile, keyFile
}

// listener listens on loopback by TLS, with such a certificate.
func listener(t *testing.T) (l net.Listener, caFile string) {
	t.Helper()
	pair, caFile, _ := certificate(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, caFile
}

// trusting is a client of a server with such a certificate.
func trusting(t *testing.T, caFile string) *http.Client {
	t.Helper()
	pool := x509.NewCertPool()
	b, err := os.ReadFile(caFile)
	if err != nil || !pool.AppendCertsFromPEM(b) {
		t.Fatal(err)
	}
	return &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
}
