package pki

import (
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func mustOpen(t testing.TB, dir string, o Options) *PKI {
	t.Helper()
	p, err := Open(dir, o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// contents are a directory's files.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		files[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func readCert(t testing.TB, path string) *x509.Certificate {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	certs, err := ParseCertificates(data)
	if err != nil {
		t.Fatal(err)
	}
	return certs[0]
}

func at(now time.Time) func() time.Time { return func() time.Time { return now } }

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestOpen_MakesWhatKubeadmMakes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	mustOpen(t, dir, Options{Now: at(epoch), ServerNames: []string{"coracle.example"}, ServerIPs: []net.IP{net.IPv4(192, 0, 2, 7)}})

	type row struct {
		Subject, Issuer string
		Usages          []x509.ExtKeyUsage
		Names           []string
		IPs             []string
		Days            int
		CA              bool
		Key             x509.KeyUsage
	}
	want := map[string]row{
		"ca":             {Subject: "CN=kubernetes", Issuer: "CN=kubernetes", Names: []string{"kubernetes"}, Days: 3650, CA: true},
		"front-proxy-ca": {Subject: "CN=front-proxy-ca", Issuer: "CN=front-proxy-ca", Names: []string{"front-proxy-ca"}, Days: 3650, CA: true},
		"apiserver": {Subject: "CN=kube-apiserver", Issuer: "CN=kubernetes", Usages: serverAuth, Days: 365,
			Names: []string{"coracle.example", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost"},
			IPs:   []string{"127.0.0.1", "::1", "10.96.0.1", "192.0.2.7"}},
		"apiserver-kubelet-client": {Subject: "CN=kube-apiserver-kubelet-client", Issuer: "CN=kubernetes", Usages: clientAuth, Days: 365},
		"front-proxy-client":       {Subject: "CN=front-proxy-client", Issuer: "CN=front-proxy-ca", Usages: clientAuth, Days: 365},
		"etcd/ca":                  {Subject: "CN=etcd-ca", Issuer: "CN=etcd-ca", Names: []string{"etcd-ca"}, Days: 3650, CA: true},
		"etcd/server": {Subject: "CN=coracle", Issuer: "CN=etcd-ca", Usages: bothAuth, Days: 365,
			Names: []string{"coracle", "coracle.example", "localhost"}, IPs: []string{"127.0.0.1", "::1", "192.0.2.7"}},
		"etcd/peer": {Subject: "CN=coracle", Issuer: "CN=etcd-ca", Usages: bothAuth, Days: 365,
			Names: []string{"coracle", "coracle.example", "localhost"}, IPs: []string{"127.0.0.1", "::1", "192.0.2.7"}},
		"etcd/healthcheck-client": {Subject: "CN=kube-etcd-healthcheck-client", Issuer: "CN=etcd-ca", Usages: clientAuth, Days: 365},
		"apiserver-etcd-client":   {Subject: "CN=kube-apiserver-etcd-client", Issuer: "CN=etcd-ca", Usages: clientAuth, Days: 365},
	}
	for name, r := range want { // cmd/kubeadm/app/util/pkiutil: NewSelfSignedCACert, NewSignedCert
		r.Key = x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature
		if r.CA {
			r.Key |= x509.KeyUsageCertSign
		}
		want[name] = r
	}
	got := map[string]row{}
	for name := range want {
		c := readCert(t, filepath.Join(dir, name+".crt"))
		r := row{Subject: c.Subject.String(), Issuer: c.Issuer.String(), Usages: c.ExtKeyUsage, Names: c.DNSNames, Days: int(c.NotAfter.Sub(epoch).Hours() / 24), CA: c.IsCA, Key: c.KeyUsage}
		for _, ip := range c.IPAddresses {
			r.IPs = append(r.IPs, ip.String())
		}
		got[name] = r
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("certificates (-want +got):\n%s", diff)
	}

	modes := map[string]fs.FileMode{}
	for name := range contents(t, dir) {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		modes[name] = info.Mode().Perm()
	}
	wantModes := map[string]fs.FileMode{"sa.key": 0o600, "sa.pub": 0o600}
	for name := range want {
		wantModes[name+".crt"], wantModes[name+".key"] = 0o644, 0o600
	}
	if diff := cmp.Diff(wantModes, modes); diff != "" {
		t.Errorf("files and their modes (-want +got):\n%s", diff)
	}
	if info, _ := os.Stat(dir); info.Mode().Perm() != 0o700 {
		t.Errorf("directory mode is %o, want 700", info.Mode().Perm())
	}
}

func TestOpen_NamesTheServiceOfTheAPI(t *testing.T) {
	dir := t.TempDir()
	c := mustOpen(t, dir, Options{ServiceIP: net.IPv4(172, 20, 0, 1)}).ServingCertificate().Leaf
	if c.VerifyHostname("172.20.0.1") != nil || c.VerifyHostname("10.96.0.1") == nil {
		t.Errorf("it names %v", c.IPAddresses)
	}
}

func TestOpen_AgainKeepsEveryFile(t *testing.T) {
	dir := t.TempDir()
	mustOpen(t, dir, Options{})
	before := contents(t, dir)
	mustOpen(t, dir, Options{})
	if diff := cmp.Diff(before, contents(t, dir)); diff != "" {
		t.Errorf("files changed (-first +second start):\n%s", diff)
	}
}

func TestOpen_IssuesAgain(t *testing.T) {
	for name, test := range map[string]struct {
		later   Options
		changed []string
	}{
		"a name that clients will use is missing":     {Options{Now: at(epoch), ServerNames: []string{"new.example"}}, []string{"apiserver.crt", "etcd/peer.crt", "etcd/server.crt"}},
		"an address that clients will use is missing": {Options{Now: at(epoch), ServerIPs: []net.IP{net.ParseIP("2001:db8::1")}}, []string{"apiserver.crt", "etcd/peer.crt", "etcd/server.crt"}},
		"the end is near":              {Options{Now: at(epoch.AddDate(0, 0, 340))}, []string{"apiserver-etcd-client.crt", "apiserver-kubelet-client.crt", "apiserver.crt", "etcd/healthcheck-client.crt", "etcd/peer.crt", "etcd/server.crt", "front-proxy-client.crt"}},
		"the end was yesterday":        {Options{Now: at(epoch.AddDate(0, 0, 366))}, []string{"apiserver-etcd-client.crt", "apiserver-kubelet-client.crt", "apiserver.crt", "etcd/healthcheck-client.crt", "etcd/peer.crt", "etcd/server.crt", "front-proxy-client.crt"}},
		"nothing, while there is time": {Options{Now: at(epoch.AddDate(0, 0, 300))}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			mustOpen(t, dir, Options{Now: at(epoch)})
			before := contents(t, dir)
			p := mustOpen(t, dir, test.later)
			var changed []string
			for name, data := range contents(t, dir) {
				if before[name] != data {
					changed = append(changed, name)
				}
			}
			slices.Sort(changed)
			slices.Sort(test.changed)
			if diff := cmp.Diff(test.changed, changed); diff != "" {
				t.Errorf("changed files (-want +got):\n%s", diff)
			}
			if _, err := p.ServingCertificate().Leaf.Verify(x509.VerifyOptions{Roots: p.Authority().Pool(), CurrentTime: test.later.Now(), DNSName: "localhost"}); err != nil {
				t.Errorf("the serving certificate does not verify: %v", err)
			}
		})
	}
}

// TestOpen_AfterACrash cuts the power before each change that the first start, and a start that renews, make.
func TestOpen_AfterACrash(t *testing.T) {
	later := Options{Now: at(epoch.AddDate(0, 0, 350))}
	check := func(t *testing.T, dir string) {
		t.Helper()
		p := mustOpen(t, dir, later)
		for name := range contents(t, dir) {
			if strings.HasSuffix(name, ".tmp") || strings.HasSuffix(name, next) {
				t.Errorf("%s was left behind", name)
			}
		}
		for _, row := range leaves(Options{}) {
			pair, err := p.dir.readPair(row.name)
			if err != nil || pair.Cert == nil || pair.Key == nil {
				t.Errorf("%s: %+v, %v", row.name, pair, err)
			}
		}
	}
	for _, start := range []struct {
		name  string
		first Options
	}{{"first start", Options{}}, {"renewal", Options{Now: at(epoch)}}} {
		t.Run(start.name, func(t *testing.T) {
			for n := 1; ; n++ {
				name := t.TempDir()
				if start.first.Now != nil {
					mustOpen(t, name, start.first)
				}
				dir, err := openDirectory(name)
				if err != nil {
					t.Fatal(err)
				}
				changes := make(chan struct{}, 1000)
				dir.crash = func() bool { changes <- struct{}{}; return len(changes) >= n }
				_, err = open(dir, later)
				crashed := len(changes) >= n
				if err != nil && !errors.Is(err, errCrash) {
					t.Fatalf("cut before change %d: %v", n, err)
				}
				check(t, name)
				if !crashed {
					if n < 10 {
						t.Errorf("there were only %d changes to cut short", n)
					}
					return
				}
			}
		})
	}
}

func TestOpen_SaysWhatIsWrong(t *testing.T) {
	foreign := t.TempDir()
	mustOpen(t, foreign, Options{Now: at(epoch)})
	steal := func(from, to string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			data, err := os.ReadFile(filepath.Join(foreign, from))
			if err != nil {
				t.Fatal(err)
			}
			write(t, dir, to, string(data))
		}
	}
	for name, test := range map[string]struct {
		damage func(t *testing.T, dir string)
		later  time.Time
		want   string // with DIR for the directory
	}{
		"a garbled certificate": {
			damage: func(t *testing.T, dir string) { write(t, dir, "ca.crt", "what?") },
			want:   "DIR/ca.crt cannot be used: there is no PEM certificate in it; restore it from a backup, or remove it to have a new one made",
		},
		"half a certificate": {
			damage: func(t *testing.T, dir string) {
				data, _ := os.ReadFile(filepath.Join(dir, "ca.crt"))
				write(t, dir, "ca.crt", string(data[:len(data)/2]))
			},
			want: "DIR/ca.crt cannot be used: there is no PEM certificate in it; restore it from a backup, or remove it to have a new one made",
		},
		"an empty key": {
			damage: func(t *testing.T, dir string) { write(t, dir, "apiserver.key", "") },
			want:   "DIR/apiserver.key cannot be used: there is no PEM private key in it; restore it from a backup, or remove it to have a new one made",
		},
		"a key of another certificate": {
			damage: steal("apiserver.key", "apiserver.key"),
			want:   "DIR/apiserver.key does not belong to DIR/apiserver.crt: put back the one that was replaced, or remove both to have new ones made",
		},
		"another cluster's authority": {
			damage: func(t *testing.T, dir string) { steal("ca.key", "ca.key")(t, dir); steal("ca.crt", "ca.crt")(t, dir) },
			want:   "DIR/apiserver.crt is not signed by DIR/ca.crt: put back the authority that signed it, or remove it and its key to have new ones made",
		},
		"a leaf as authority": {
			damage: func(t *testing.T, dir string) {
				steal("apiserver.key", "ca.key")(t, dir)
				steal("apiserver.crt", "ca.crt")(t, dir)
			},
			want: "DIR/ca.crt is not the certificate of an authority (its basic constraints do not say CA)",
		},
		"an expired authority": {
			damage: func(*testing.T, string) {}, later: epoch.AddDate(11, 0, 0),
			want: "DIR/ca.crt expired on 2036-02-27: replace it, or remove it to have a new one made for the same key",
		},
		"a key that everybody may read": {
			damage: func(t *testing.T, dir string) { os.Chmod(filepath.Join(dir, "ca.key"), 0o644) },
			want:   "DIR/ca.key holds a secret and everybody on this machine may read it (mode 0644): run chmod 600 DIR/ca.key, and consider the key known",
		},
		"another key's sa.pub": {
			damage: steal("sa.pub", "sa.pub"),
			want:   "DIR/sa.pub does not belong to DIR/sa.key: remove it to have it made again",
		},
		"sa.pub without its key": {
			damage: func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, "sa.key")) },
			want:   "DIR/sa.pub is there without DIR/sa.key, so that no token could be signed: restore the key, or remove both to have new ones made, which ends all tokens",
		},
		"no key to sign with, and something to sign": {
			damage: func(t *testing.T, dir string) {
				os.Remove(filepath.Join(dir, "ca.key"))
				os.Remove(filepath.Join(dir, "apiserver.crt"))
			},
			want: "DIR/apiserver.crt must be issued (it is missing), and DIR/ca.key is not here to sign it: put one of them in place",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			mustOpen(t, dir, Options{Now: at(epoch)})
			test.damage(t, dir)
			before := contents(t, dir)
			now := epoch
			if !test.later.IsZero() {
				now = test.later
			}
			_, err := Open(dir, Options{Now: at(now)})
			if err == nil {
				t.Fatal("Open found nothing wrong")
			}
			if diff := cmp.Diff(strings.ReplaceAll(test.want, "DIR", dir), err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			for name, data := range contents(t, dir) {
				if old, ok := before[name]; ok && old != data {
					t.Errorf("%s was overwritten", name)
				}
			}
		})
	}
}

func write(t testing.TB, dir, name, data string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOpen_AuthorityWithoutItsKey(t *testing.T) {
	dir := t.TempDir()
	mustOpen(t, dir, Options{})
	if err := os.Remove(filepath.Join(dir, "ca.key")); err != nil {
		t.Fatal(err)
	}
	p := mustOpen(t, dir, Options{})
	if p.ServingCertificate() == nil {
		t.Error("no serving certificate, though it needs no signing")
	}
	if _, err := p.ClientCertificate(Admin()); !errors.Is(err, ErrNoKey) {
		t.Errorf("ClientCertificate: %v, want ErrNoKey", err)
	}
}

func TestOpen_RemovedAuthorityCertificate(t *testing.T) {
	dir := t.TempDir()
	old := mustOpen(t, dir, Options{})
	if err := os.Remove(filepath.Join(dir, "ca.crt")); err != nil {
		t.Fatal(err)
	}
	p := mustOpen(t, dir, Options{})
	if _, err := p.ServingCertificate().Leaf.Verify(x509.VerifyOptions{Roots: old.Authority().Pool(), DNSName: "localhost"}); err != nil {
		t.Errorf("who trusts the old certificate of the same key no longer trusts the server: %v", err)
	}
}

func TestClientCertificate(t *testing.T) {
	p := mustOpen(t, t.TempDir(), Options{})
	for name, id := range map[string]Identity{
		"CN=kubernetes-admin,O=kubeadm:cluster-admins": Admin(),
		"CN=kubernetes-super-admin,O=system:masters":   SuperAdmin(),
		"CN=system:kube-controller-manager":            ControllerManager(),
		"CN=system:kube-scheduler":                     Scheduler(),
		"CN=system:node:coracle-node-1,O=system:nodes": Node("coracle-node-1"),
	} {
		c, err := p.ClientCertificate(id)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Leaf.Subject.String(); got != name {
			t.Errorf("subject is %s, want %s", got, name)
		}
		if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: p.Authority().Pool(), KeyUsages: clientAuth}); err != nil {
			t.Errorf("%s does not verify: %v", name, err)
		}
		if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: p.Authority().Pool(), KeyUsages: serverAuth}); err == nil {
			t.Errorf("%s may serve, though it is a client's", name)
		}
		if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: p.FrontProxy().Pool(), KeyUsages: clientAuth}); err == nil {
			t.Errorf("%s is trusted as an authenticating proxy", name)
		}
	}
}

func TestNodeServing(t *testing.T) {
	p := mustOpen(t, t.TempDir(), Options{})
	c, err := p.Authority().NodeServing("node-1", net.IPv4(127, 0, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"node-1", "127.0.0.1"} {
		if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: p.Authority().Pool(), DNSName: name}); err != nil {
			t.Errorf("as %s: %v", name, err)
		}
	}
	if got := c.Leaf.Subject.String(); got != "CN=system:node:node-1,O=system:nodes" {
		t.Errorf("subject is %s", got)
	}
}

func TestServiceAccountKey_IsTheFiles(t *testing.T) {
	dir := t.TempDir()
	p := mustOpen(t, dir, Options{})
	data, err := os.ReadFile(filepath.Join(dir, "sa.pub"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := ParsePublicKeys(data)
	if err != nil {
		t.Fatal(err)
	}
	if !keys[0].(*ecdsa.PublicKey).Equal(p.ServiceAccountKey().Public()) {
		t.Error("sa.pub is not the public key of the signing key")
	}
	again := mustOpen(t, dir, Options{})
	if !p.ServiceAccountKey().(*ecdsa.PrivateKey).Equal(again.ServiceAccountKey()) {
		t.Error("another key after a restart: all tokens would have ended")
	}
	if names := slices.Sorted(maps.Keys(contents(t, dir))); !slices.Contains(names, "sa.key") {
		t.Errorf("no sa.key among %v", names)
	}
}
