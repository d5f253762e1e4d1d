package pki

import (
	"crypto/x509"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
)

func rotation(t *testing.T) (r Rotation, conf string) {
	t.Helper()
	dir := t.TempDir()
	conf = filepath.Join(dir, "kubeconfigs", "admin.conf")
	p := mustOpen(t, filepath.Join(dir, "pki"), Options{Now: at(epoch), ServerNames: []string{"coracle.example"}})
	if _, err := p.Kubeconfig(conf, "https://127.0.0.1:6443", Admin()); err != nil {
		t.Fatal(err)
	}
	return Rotation{Dir: filepath.Join(dir, "pki"), Kubeconfigs: []string{conf}, Now: at(epoch), Finish: true}, conf
}

func mustRotate(t *testing.T, r Rotation, name string) []Change {
	t.Helper()
	changes, err := r.Rotate(name)
	if err != nil {
		t.Fatalf("rotate %s: %v", name, err)
	}
	return changes
}

func TestRotate_ReplacesALeafThatAServerPicksUp(t *testing.T) {
	r, _ := rotation(t)
	server := mustOpen(t, r.Dir, Options{Now: at(epoch)})
	before := server.ServingCertificate().Leaf
	r.Validity = 10 * time.Minute
	mustRotate(t, r, "apiserver")
	if changed, err := server.Reload(); !changed || err != nil {
		t.Fatalf("Reload: %t, %v", changed, err)
	}
	after := server.ServingCertificate().Leaf
	if samePublicKey(before.PublicKey, after.PublicKey) {
		t.Error("the key is the old one")
	}
	if diff := cmp.Diff(before.DNSNames, after.DNSNames); diff != "" {
		t.Errorf("names (-before +after):\n%s", diff)
	}
	if got := after.NotAfter.Sub(epoch); got != r.Validity {
		t.Errorf("it lives %s, want %s", got, r.Validity)
	}
	if changed, err := server.Reload(); changed || err != nil {
		t.Errorf("Reload of nothing new: %t, %v", changed, err)
	}
}

func TestRotate_DryRunChangesNothing(t *testing.T) {
	r, conf := rotation(t)
	r.DryRun = true
	before, conf0 := contents(t, r.Dir), contents(t, filepath.Dir(conf))
	for _, name := range []string{Everything, "apiserver", "admin.conf", "ca", "sa"} {
		if len(mustRotate(t, r, name)) == 0 {
			t.Errorf("%s: nothing is said of what would be done", name)
		}
	}
	if diff := cmp.Diff(before, contents(t, r.Dir)); diff != "" {
		t.Errorf("files changed:\n%s", diff)
	}
	if diff := cmp.Diff(conf0, contents(t, filepath.Dir(conf))); diff != "" {
		t.Errorf("kubeconfigs changed:\n%s", diff)
	}
}

// TestRotate_AuthorityInStages cuts the power before each change of each stage; after each cut the cluster works, and
// the rotation, asked for again, goes on.
func TestRotate_AuthorityInStages(t *testing.T) {
	for _, name := range []string{"ca", "sa"} {
		t.Run(name, func(t *testing.T) {
			for n := 1; ; n++ {
				r, _ := rotation(t)
				old := mustOpen(t, r.Dir, Options{Now: at(epoch)})
				client, err := old.ClientCertificate(Admin())
				if err != nil {
					t.Fatal(err)
				}
				changes := 0
				r.crash = func() bool { changes++; return changes >= n }
				stages := 0
				for ; stages < 3 && changes < n; stages++ {
					if _, err := r.Rotate(name); err != nil && !errors.Is(err, errCrash) {
						t.Fatalf("cut before change %d: %v", n, err)
					}
					if _, err := old.Reload(); err != nil {
						t.Fatalf("a running server, after change %d: %v", n, err)
					}
				}
				cut := changes >= n
				again := mustOpen(t, r.Dir, Options{Now: at(epoch)})
				if stages < 3 {
					if _, err := client.Leaf.Verify(x509.VerifyOptions{Roots: again.Authority().Pool(), CurrentTime: epoch, KeyUsages: clientAuth}); err != nil {
						t.Errorf("cut before change %d, in stage %d: a client is locked out: %v", n, stages, err)
					}
				}
				r.crash = nil
				for range 3 {
					if _, err := r.Rotate(name); err != nil {
						t.Fatalf("on from change %d: %v", n, err)
					}
				}
				if _, err := mustOpen(t, r.Dir, Options{Now: at(epoch)}).peek(); err != nil {
					t.Errorf("on from change %d: %v", n, err)
				}
				if !cut {
					if n < 5 {
						t.Errorf("there were only %d changes to cut short", n)
					}
					return
				}
			}
		})
	}
}

func TestRotate_EachStageOfTheAuthority(t *testing.T) {
	r, conf := rotation(t)
	p := mustOpen(t, r.Dir, Options{Now: at(epoch)})
	old := p.Authority().Certificate()
	r.Finish = false
	stage := func(want Stage, trusted int, signs bool) {
		t.Helper()
		if _, err := p.Reload(); err != nil {
			t.Fatal(err)
		}
		got, _, err := p.dir.stage(p.Authority())
		if err != nil || got != want || len(p.Authority().Trusted()) != trusted || p.Authority().Certificate().Equal(old) != signs {
			t.Errorf("stage %s with %d trusted, the old one signs: %t, %v; want %s with %d, %t", got, len(p.Authority().Trusted()), p.Authority().Certificate().Equal(old), err, want, trusted, signs)
		}
		if c := readKubeconfigAuthorities(t, conf); c != trusted {
			t.Errorf("the kubeconfig trusts %d, want %d", c, trusted)
		}
		if _, err := p.ServingCertificate().Leaf.Verify(x509.VerifyOptions{Roots: p.Authority().Pool(), CurrentTime: epoch, DNSName: "localhost"}); err != nil {
			t.Errorf("the server is not trusted: %v", err)
		}
	}
	stage(Settled, 1, true)
	mustRotate(t, r, "ca")
	stage(Trusted, 2, true)
	mustRotate(t, r, "ca")
	stage(Issued, 2, false)
	if _, err := r.Rotate("ca"); err == nil || !strings.Contains(err.Error(), "--finish") {
		t.Errorf("the last stage went ahead unasked: %v", err)
	}
	r.Finish = true
	mustRotate(t, r, "ca")
	stage(Settled, 1, false)
	for name := range contents(t, r.Dir) {
		if strings.Contains(name, nextName) {
			t.Errorf("%s was left behind", name)
		}
	}
}

func TestRotate_AccountKeysLogNobodyOut(t *testing.T) {
	r, _ := rotation(t)
	p := mustOpen(t, r.Dir, Options{Now: at(epoch)})
	old := p.ServiceAccountKey()
	for stage, signs := range []bool{true, false} {
		mustRotate(t, r, "sa")
		if _, err := p.Reload(); err != nil {
			t.Fatal(err)
		}
		if len(p.ServiceAccountKeys()) != 2 || samePublicKey(p.ServiceAccountKey().Public(), old.Public()) != signs {
			t.Errorf("stage %d: %d keys verify, the old one signs: %t", stage, len(p.ServiceAccountKeys()), samePublicKey(p.ServiceAccountKey().Public(), old.Public()))
		}
	}
	mustRotate(t, r, "sa")
	if _, err := p.Reload(); err != nil || len(p.ServiceAccountKeys()) != 1 {
		t.Errorf("the old key is not forgotten: %d keys, %v", len(p.ServiceAccountKeys()), err)
	}
}

func TestRotate_SaysWhatItCannotDo(t *testing.T) {
	r, _ := rotation(t)
	if _, err := r.Rotate("nothing"); !errors.Is(err, ErrUnknown) {
		t.Errorf("an unknown name: %v", err)
	}
	if _, err := (Rotation{Dir: t.TempDir()}).Rotate("ca"); err == nil || !strings.Contains(err.Error(), "there is no cluster's authority in") {
		t.Errorf("an empty directory: %v", err)
	}
	p := mustOpen(t, r.Dir, Options{Now: at(epoch)})
	if err := p.dir.remove("ca.key"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ca", "apiserver"} {
		if _, err := r.Rotate(name); !errors.Is(err, ErrNoKey) {
			t.Errorf("%s, without the authority's key: %v", name, err)
		}
	}
}

func readKubeconfigAuthorities(t *testing.T, path string) int {
	t.Helper()
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	certs, err := ParseCertificates(config.Clusters[clusterName].CertificateAuthorityData)
	if err != nil {
		t.Fatal(err)
	}
	return len(certs)
}
