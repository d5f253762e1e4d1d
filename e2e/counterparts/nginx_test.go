package counterparts

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// nginx asks for passwords, and tells the server who it was in headers, by the certificate of a front proxy.
func TestNginx(t *testing.T) {
	nginx := program(t, "nginx")
	c := up(t)
	dir := t.TempDir()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	sum := sha1.Sum([]byte("secret"))
	pki := func(name string) string { return filepath.Join(c.dir, "pki", name) }
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("people", "ann:{SHA}"+base64.StdEncoding.EncodeToString(sum[:])+"\n")
	write("nginx.conf", fmt.Sprintf(`
daemon off; worker_processes 1; user root; pid %[1]s/pid; error_log stderr;
events {}
http {
  access_log off; client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  server {
    listen %[2]s;
    auth_basic "the cluster"; auth_basic_user_file %[1]s/people;
    location / {
      proxy_pass %[3]s;
      proxy_http_version 1.1; proxy_buffering off;
      proxy_ssl_certificate %[4]s; proxy_ssl_certificate_key %[5]s; proxy_ssl_trusted_certificate %[6]s; proxy_ssl_verify on; proxy_ssl_name kubernetes;
      proxy_set_header Authorization "";
      proxy_set_header X-Remote-User $remote_user;
      proxy_set_header X-Remote-Group dev;
      proxy_set_header X-Remote-Extra-Scopes "";
    }
  }
}`, dir, address, c.url, pki("front-proxy-client.crt"), pki("front-proxy-client.key"), pki("ca.crt")))
	var said bytes.Buffer
	cmd := exec.Command(nginx, "-c", filepath.Join(dir, "nginx.conf"), "-p", dir, "-e", "stderr")
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { cmd.Wait(); close(exited) }()
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		<-exited
		if t.Failed() {
			t.Log(said.String())
		}
	})
	url := "http://" + address
	eventually(t, "nginx listens", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("ann:secret"))
	for name, test := range map[string]struct {
		header []string
		want   string
	}{
		"nobody":               {nil, "401"},
		"a wrong password":     {[]string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("ann:guess"))}, "401"},
		"ann":                  {[]string{"Authorization", basic}, "ann dev,system:authenticated"},
		"ann, as a smuggler":   {[]string{"Authorization", basic, "X-Remote-User", "kubernetes-admin", "X-Remote-Group", "system:masters"}, "ann dev,system:authenticated"},
		"smuggling underlines": {[]string{"Authorization", basic, "X_Remote_Group", "system:masters"}, "ann dev,system:authenticated"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := who(t, http.DefaultClient, url, test.header...); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
	t.Run("and without the proxy the headers say nothing", func(t *testing.T) {
		if got := who(t, c.client(), c.url, "X-Remote-User", "ann", "X-Remote-Group", "system:masters"); !strings.HasPrefix(got, "system:anonymous") && got != "403" {
			t.Error(got)
		}
	})
}
