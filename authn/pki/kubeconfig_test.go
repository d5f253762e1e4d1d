package pki

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
)

func TestKubeconfig(t *testing.T) {
	dir := t.TempDir()
	p := mustOpen(t, filepath.Join(dir, "pki"), Options{Now: at(epoch)})
	path := filepath.Join(dir, "kubeconfigs", "admin.conf")
	cert, err := p.Kubeconfig(path, "https://127.0.0.1:6443", Admin())
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rest, err := clientcmd.NewDefaultClientConfig(*config, nil).ClientConfig()
	if err != nil {
		t.Fatal(err)
	}
	if rest.Host != "https://127.0.0.1:6443" || !bytes.Equal(rest.CAData, p.CABundle()) || config.CurrentContext != "kubernetes-admin@kubernetes" {
		t.Errorf("host %s, context %s, right CA: %t", rest.Host, config.CurrentContext, bytes.Equal(rest.CAData, p.CABundle()))
	}
	embedded, err := ParseCertificates(rest.CertData)
	if err != nil || !embedded[0].Equal(cert.Leaf) {
		t.Errorf("the returned certificate is not the file's (%v)", err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %o, want 600", info.Mode().Perm())
	}
}

func TestKubeconfig_Again(t *testing.T) {
	for name, test := range map[string]struct {
		edit     func(string) string
		server   string
		later    Options
		id       Identity
		sameCert bool
		want     string // what the file must hold
		wantErr  string
	}{
		"keeps all":           {sameCert: true},
		"learns the new port": {server: "https://127.0.0.1:7000", sameCert: true, want: "https://127.0.0.1:7000"},
		"renews in time":      {later: Options{Now: at(epoch.AddDate(0, 0, 350))}},
		"changes groups":      {id: Identity{User: "kubernetes-admin", Groups: []string{"system:masters"}}},
		"keeps what people added": {edit: func(s string) string {
			return strings.Replace(s, "user: kubernetes-admin", "namespace: blue\n    user: kubernetes-admin", 1)
		}, sameCert: true, want: "namespace: blue"},
		"does not overwrite other files": {edit: func(string) string { return "a: [b" }, wantErr: "admin.conf is not a kubeconfig: remove it to have a new one made"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "admin.conf")
			first, err := mustOpen(t, filepath.Join(dir, "pki"), Options{Now: at(epoch)}).Kubeconfig(path, "https://127.0.0.1:6443", Admin())
			if err != nil {
				t.Fatal(err)
			}
			if test.edit != nil {
				data, _ := os.ReadFile(path)
				write(t, dir, "admin.conf", test.edit(string(data)))
			}
			if test.server == "" {
				test.server = "https://127.0.0.1:6443"
			}
			if test.later.Now == nil {
				test.later.Now = at(epoch)
			}
			if test.id.User == "" {
				test.id = Admin()
			}
			second, err := mustOpen(t, filepath.Join(dir, "pki"), test.later).Kubeconfig(path, test.server, test.id)
			if test.wantErr != "" {
				if err == nil || !strings.HasSuffix(err.Error(), test.wantErr) {
					t.Fatalf("error %v, want one that ends in %q", err, test.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if same := first.Leaf.Equal(second.Leaf); same != test.sameCert {
				t.Errorf("same certificate: %t, want %t", same, test.sameCert)
			}
			data, _ := os.ReadFile(path)
			if !strings.Contains(string(data), test.want) {
				t.Errorf("%q is not in\n%s", test.want, data)
			}
		})
	}
}

func TestKubeconfig_OfAnotherClusterIsReplaced(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "admin.conf")
	old, err := mustOpen(t, filepath.Join(dir, "old"), Options{}).Kubeconfig(path, "https://127.0.0.1:1", Admin())
	if err != nil {
		t.Fatal(err)
	}
	p := mustOpen(t, filepath.Join(dir, "new"), Options{})
	cert, err := p.Kubeconfig(path, "https://127.0.0.1:1", Admin())
	if err != nil {
		t.Fatal(err)
	}
	if cert.Leaf.Equal(old.Leaf) {
		t.Error("the certificate of another cluster's authority was kept")
	}
	if diff := cmp.Diff(nil, cert.Leaf.CheckSignatureFrom(p.Authority().Certificate())); diff != "" {
		t.Error(diff)
	}
}
