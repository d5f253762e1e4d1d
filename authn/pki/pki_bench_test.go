package pki

import (
	"path/filepath"
	"testing"
)

// BenchmarkOpen is a cluster's first start and its later ones, kubeconfigs included.
func BenchmarkOpen(b *testing.B) {
	start := func(b *testing.B, dir string) {
		p, err := Open(filepath.Join(dir, "pki"), Options{})
		if err != nil {
			b.Fatal(err)
		}
		defer p.Close()
		for name, id := range map[string]Identity{"admin.conf": Admin(), "super-admin.conf": SuperAdmin(), "controller-manager.conf": ControllerManager(), "scheduler.conf": Scheduler()} {
			if _, err := p.Kubeconfig(filepath.Join(dir, "kubeconfigs", name), "https://127.0.0.1:6443", id); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			start(b, b.TempDir())
		}
	})
	b.Run("later", func(b *testing.B) {
		dir := b.TempDir()
		start(b, dir)
		for b.Loop() {
			start(b, dir)
		}
	})
}
