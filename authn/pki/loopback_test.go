package pki

import (
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestLoopback_IsNobodyElsesAuthority(t *testing.T) {
	dir := t.TempDir()
	p := mustOpen(t, dir, Options{})
	c, err := p.LoopbackCertificate(SuperAdmin())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: p.Loopback().Pool(), KeyUsages: clientAuth}); err != nil {
		t.Errorf("it does not verify: %v", err)
	}
	for name, other := range map[string]*Authority{
		"the cluster's authority": p.Authority(), "the front proxy's": p.FrontProxy(), "that of another start": mustOpen(t, dir, Options{}).Loopback(),
	} {
		if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: other.Pool(), KeyUsages: clientAuth}); err == nil {
			t.Errorf("%s takes it", name)
		}
	}
	for name := range contents(t, dir) {
		if filepath.Base(name) == "loopback.key" {
			t.Error("its key is on disk")
		}
	}
}

func TestKubeconfig_WithoutTheAuthoritysKey(t *testing.T) {
	for name, test := range map[string]struct {
		later time.Time
		there bool
		keeps bool
	}{
		"is kept while it is good":              {epoch, true, true},
		"is kept when its end is near":          {epoch.AddDate(0, 0, 350), true, true},
		"is not kept when it has ended":         {epoch.AddDate(0, 0, 366), true, false},
		"cannot be made where there never was ": {epoch, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir, conf := t.TempDir(), filepath.Join(t.TempDir(), "admin.conf")
			first := mustOpen(t, dir, Options{Now: at(epoch)})
			if test.there {
				if _, err := first.Kubeconfig(conf, "https://127.0.0.1:6443", Admin()); err != nil {
					t.Fatal(err)
				}
			}
			first.Authority().key = nil // as Open has it when the file is not there
			first.options.Now = at(test.later)
			before, _ := os.ReadFile(conf)
			_, err := first.Kubeconfig(conf, "https://127.0.0.1:6443", Admin())
			if test.keeps != (err == nil) || err != nil && !errors.Is(err, ErrNoKey) {
				t.Errorf("error %v, want it kept: %t", err, test.keeps)
			}
			if after, _ := os.ReadFile(conf); string(after) != string(before) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestStale_LeavesShortLivesToTheirEnd(t *testing.T) {
	p := mustOpen(t, t.TempDir(), Options{Now: at(epoch)})
	profile := Admin().profile()
	profile.lifetime = 10 * time.Minute
	pair, err := p.Authority().issuePair(profile)
	if err != nil {
		t.Fatal(err)
	}
	if why := profile.stale(pair.Cert, epoch.Add(6*time.Minute)); why != "" {
		t.Errorf("six minutes into ten it is to be replaced: %s", why)
	}
	if why := profile.stale(pair.Cert, epoch.Add(9*time.Minute)); why == "" {
		t.Error("nine minutes into ten it is not to be replaced")
	}
}
