package pki

import (
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// withNode adds a node to a cluster: two certificates, and a kubeconfig that names one of them.
func withNode(t *testing.T, r Rotation) Rotation {
	t.Helper()
	a := mustOpen(t, r.Dir, Options{Now: at(epoch)}).Authority()
	node := filepath.Join(filepath.Dir(r.Dir), "nodes", "node-1")
	if err := os.MkdirAll(filepath.Join(node, "pki"), 0o700); err != nil {
		t.Fatal(err)
	}
	serving := Node("node-1").profile()
	serving.usages, serving.names, serving.ips = serverAuth, []string{"node-1"}, []net.IP{net.IPv4(127, 0, 0, 1).To4()}
	for name, p := range map[string]profile{"kubelet-client": Node("node-1").profile(), "kubelet-server": serving} {
		pair, err := a.issuePair(p)
		if err != nil {
			t.Fatal(err)
		}
		cert, key, err := pair.PEM()
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(node, "pki"), name+"-current.pem", string(cert)+string(key))
		r.NodeFiles = append(r.NodeFiles, filepath.Join(node, "pki", name+"-current.pem"))
	}
	write(t, node, "kubelet.conf", `{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {user: u, cluster: k}}],
users: [{name: u, user: {client-certificate: pki/kubelet-client-current.pem, client-key: pki/kubelet-client-current.pem}}],
clusters: [{name: k, cluster: {server: "https://127.0.0.1:6443", certificate-authority: ../../pki/ca.crt}}]}`)
	r.Kubeconfigs = append(r.Kubeconfigs, filepath.Join(node, "kubelet.conf"))
	return r
}

func nodePair(t *testing.T, path string) *Pair {
	t.Helper()
	pair, err := readNodeFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func TestRotate_NodeFile(t *testing.T) {
	r, _ := rotation(t)
	r = withNode(t, r)
	for i, path := range r.NodeFiles {
		before := nodePair(t, path)
		changes := mustRotate(t, r, NodeFileName(path))
		after := nodePair(t, path)
		if len(changes) != 1 || samePublicKey(before.Key.Public(), after.Key.Public()) {
			t.Errorf("%s: %v, and the key is the old one", path, changes)
		}
		type said struct {
			Subject string
			Names   []string
			Usages  []string
		}
		of := func(c *x509.Certificate) said { return said{c.Subject.String(), Names(c), Usages(c)} }
		if diff := cmp.Diff(of(before.Cert), of(after.Cert)); diff != "" {
			t.Errorf("%s says something else (-before +after):\n%s", path, diff)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		untouched := r.NodeFiles[1-i]
		if mustRotate(t, r, Everything); nodePair(t, untouched).Cert == nil || nodePair(t, path).Cert.Equal(after.Cert) {
			t.Errorf("%s is not among all", path)
		}
	}
	if _, err := r.Rotate("node-1/kubelet.conf"); err == nil {
		t.Error("a kubeconfig without a certificate of its own is rotated")
	}
}

// TestRotate_NodesInStages follows a node through the stages of its authority: what it presents is trusted in each.
func TestRotate_NodesInStages(t *testing.T) {
	r, _ := rotation(t)
	r = withNode(t, r)
	for stage := range 3 {
		mustRotate(t, r, "ca")
		a := mustOpen(t, r.Dir, Options{Now: at(epoch)}).Authority()
		for _, path := range r.NodeFiles {
			c := nodePair(t, path).Cert
			if !a.Signed(c) {
				t.Errorf("stage %d: %s is trusted by nobody", stage, path)
			}
			if stage > 0 && c.CheckSignatureFrom(a.Certificate()) != nil {
				t.Errorf("stage %d: %s is still the old authority's", stage, path)
			}
		}
	}
}

func TestInventory_Nodes(t *testing.T) {
	r, _ := rotation(t)
	r = withNode(t, r)
	stranger := mustOpen(t, t.TempDir(), Options{Now: at(epoch)})
	pair, err := stranger.Authority().issuePair(Node("node-1").profile())
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := pair.PEM()
	if err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(filepath.Dir(r.NodeFiles[0]), "open-current.pem")
	foreign := filepath.Join(filepath.Dir(r.NodeFiles[0]), "foreign-current.pem")
	for _, path := range []string{open, foreign} {
		write(t, filepath.Dir(path), filepath.Base(path), string(cert)+string(key))
		r.NodeFiles = append(r.NodeFiles, path)
	}
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(foreign, 0o600); err != nil {
		t.Fatal(err)
	}
	items, err := r.Inventory()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, i := range items[0].Items {
		got[i.Name] = i.Problem == ""
	}
	want := map[string]bool{
		"apiserver": true, "apiserver-kubelet-client": true, "admin.conf": true, "node-1/kubelet-client": true, "node-1/kubelet-server": true,
		"node-1/open": false, "node-1/foreign": false,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what is listed, and whether it is good (-want +got):\n%s", diff)
	}
}
