package counterparts

import (
	"crypto/tls"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// openssl makes keys, requests and certificates as people do by hand, and sees of TLS what any client sees.
func TestOpenSSL(t *testing.T) {
	openssl := program(t, "openssl")
	dir := t.TempDir()
	run := func(t *testing.T, args ...string) (string, error) {
		t.Helper()
		cmd := exec.Command(openssl, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	must := func(t *testing.T, args ...string) {
		t.Helper()
		if out, err := run(t, args...); err != nil {
			t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	// A second certificate, for clients that ask for another name.
	must(t, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "sni.key", "-out", "sni.crt", "-days", "1", "-subj", "/CN=lesson.example", "-addext", "subjectAltName=DNS:lesson.example")
	if err := os.Chmod(filepath.Join(dir, "sni.key"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := up(t, "--tls-sni-cert-key", filepath.Join(dir, "sni.crt")+","+filepath.Join(dir, "sni.key"))
	address := strings.TrimPrefix(c.url, "https://")

	t.Run("a client's certificate", func(t *testing.T) {
		must(t, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "ann.key", "-out", "ann.csr", "-subj", "/O=dev/O=ops/CN=ann")
		must(t, "x509", "-req", "-in", "ann.csr", "-CA", c.ca(), "-CAkey", filepath.Join(c.dir, "pki", "ca.key"), "-CAcreateserial", "-CAserial", "serial", "-out", "ann.crt", "-days", "1")
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "ann.crt"), filepath.Join(dir, "ann.key"))
		if err != nil {
			t.Fatal(err)
		}
		if got := who(t, c.client(pair), c.url); got != "ann dev,ops,system:authenticated" { // one without usages is for everything
			t.Error(got)
		}
		if err := os.WriteFile(filepath.Join(dir, "usage"), []byte("extendedKeyUsage=clientAuth\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		must(t, "x509", "-req", "-in", "ann.csr", "-CA", c.ca(), "-CAkey", filepath.Join(c.dir, "pki", "ca.key"), "-CAserial", "serial", "-out", "ann.crt", "-days", "1", "-extfile", "usage")
		if pair, err = tls.LoadX509KeyPair(filepath.Join(dir, "ann.crt"), filepath.Join(dir, "ann.key")); err != nil {
			t.Fatal(err)
		}
		if got := who(t, c.client(pair), c.url); got != "ann dev,ops,system:authenticated" {
			t.Error(got)
		}
	})
	t.Run("what kubeadm's files are", func(t *testing.T) {
		for _, leaf := range []string{"apiserver", "apiserver-kubelet-client"} {
			must(t, "verify", "-CAfile", c.ca(), filepath.Join(c.dir, "pki", leaf+".crt"))
		}
		must(t, "verify", "-CAfile", filepath.Join(c.dir, "pki", "front-proxy-ca.crt"), filepath.Join(c.dir, "pki", "front-proxy-client.crt"))
		must(t, "verify", "-CAfile", filepath.Join(c.dir, "pki", "etcd", "ca.crt"), filepath.Join(c.dir, "pki", "etcd", "server.crt"))
	})

	connect := func(t *testing.T, to string, args ...string) (string, bool) {
		t.Helper()
		out, err := run(t, append([]string{"s_client", "-connect", to, "-CAfile", c.ca(), "-verify_return_error", "-brief"}, args...)...)
		return out, err == nil && strings.Contains(out, "CONNECTION ESTABLISHED")
	}
	for name, test := range map[string]struct {
		args []string
		lets bool
		says string
	}{
		"TLS 1.0":                {[]string{"-tls1", "-cipher", "ALL:@SECLEVEL=0"}, false, ""},
		"TLS 1.1":                {[]string{"-tls1_1", "-cipher", "ALL:@SECLEVEL=0"}, false, ""},
		"TLS 1.2":                {[]string{"-tls1_2"}, true, "Protocol version: TLSv1.2"},
		"TLS 1.3":                {[]string{"-tls1_3"}, true, "Protocol version: TLSv1.3"},
		"no encryption":          {[]string{"-tls1_2", "-cipher", "NULL:@SECLEVEL=0"}, false, ""},
		"RC4 and triple DES":     {[]string{"-tls1_2", "-cipher", "RC4:3DES:@SECLEVEL=0"}, false, ""},
		"keys without secrecy":   {[]string{"-tls1_2", "-cipher", "kRSA"}, false, ""},
		"HTTP/2":                 {[]string{"-alpn", "h2,http/1.1"}, true, ""},
		"verified":               {nil, true, "Verification: OK"},
		"the name that it has":   {[]string{"-verify_hostname", "kubernetes.default.svc"}, true, "Verification: OK"},
		"a name that it has not": {[]string{"-verify_hostname", "elsewhere.example"}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			out, ok := connect(t, address, test.args...)
			if ok != test.lets || !strings.Contains(out, test.says) {
				t.Errorf("connected: %t, want %t, and %q in\n%s", ok, test.lets, test.says, out)
			}
		})
	}
	t.Run("the protocol that is agreed on", func(t *testing.T) {
		out, _ := run(t, "s_client", "-connect", address, "-CAfile", c.ca(), "-alpn", "h2,http/1.1")
		if !strings.Contains(out, "ALPN protocol: h2") {
			t.Error(out)
		}
	})
	t.Run("another certificate by name", func(t *testing.T) {
		subject := regexp.MustCompile(`(?m)^subject=.*$`)
		for name, want := range map[string]string{"lesson.example": "lesson.example", "kubernetes": "kube-apiserver"} {
			out, _ := run(t, "s_client", "-connect", address, "-servername", name)
			if got := subject.FindString(out); !strings.Contains(got, want) {
				t.Errorf("for %s: %q, want %s", name, got, want)
			}
		}
	})
	t.Run("a stricter server", func(t *testing.T) {
		strict := up(t, "--tls-min-version", "VersionTLS12", "--tls-cipher-suites", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256")
		to := strings.TrimPrefix(strict.url, "https://")
		if out, err := run(t, "s_client", "-connect", to, "-CAfile", strict.ca(), "-brief", "-tls1_2", "-cipher", "ECDHE+AES256"); err == nil {
			t.Errorf("a suite that is not among those: %s", out)
		}
		if out, err := run(t, "s_client", "-connect", to, "-CAfile", strict.ca(), "-brief", "-tls1_2", "-cipher", "ECDHE+AES128"); err != nil {
			t.Errorf("a suite that is: %v %s", err, out)
		}
		newest := up(t, "--tls-min-version", "VersionTLS13")
		to = strings.TrimPrefix(newest.url, "https://")
		if out, err := run(t, "s_client", "-connect", to, "-CAfile", newest.ca(), "-brief", "-tls1_2"); err == nil {
			t.Errorf("TLS 1.2 where 1.3 is the least: %s", out)
		}
	})
}
