package kubeletsim

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// restart ends the node and starts it again after a while.
func (c *cluster) restartAfter(d time.Duration) {
	c.Helper()
	c.shutdown()
	c.pass(d)
	c.start()
}

func TestRestart_PodsGoOn(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.create(newPod("web", mountsToken))
		c.create(newPod("looping", runs("false")))
		c.create(newPod("debugged"))
		before := c.pod("web")
		inode := func() os.FileInfo {
			info, err := os.Stat(filepath.Join(c.config.Dir, "nodes/n1/pods/uid-of-web/containers/web/rootfs"))
			if err != nil {
				t.Fatal(err)
			}
			return info
		}
		dir := inode()
		c.restartAfter(5 * time.Second)
		if diff := cmp.Diff(before.Status, c.pod("web").Status); diff != "" {
			t.Errorf("the restart changed a running pod's status:\n%s", diff)
		}
		if !os.SameFile(dir, inode()) {
			t.Error("the root directory was made anew under a running process")
		}
		if got := c.read("pods/blue/web/web" + serviceAccountDir + "/token"); got != "token 2 of blue/some-sa for pod uid-of-web" {
			t.Errorf("token %q", got) // tokens are kept in memory only, as upstream
		}
		c.create(newPod("new"))
		if a, b := before.Status.PodIP, c.pod("new").Status.PodIP; a == b {
			t.Errorf("a new pod was given the address of a running one: %s", a)
		}
		c.pass(time.Minute)
		c.wantState("web", "Running web=running")
		c.delete("web", metav1.DeleteOptions{})
		c.wantState("web", "gone")
		c.cleanedUp("web")
	})
}

func TestRestart_ProcessesKeepTime(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.create(newPod("job", restart(corev1.RestartPolicyNever), runs("sh", "-c", "echo begin; sleep 60; echo end")))
		c.restartAfter(40 * time.Second)
		c.pass(19 * time.Second)
		c.wantState("job", "Running web=running")
		c.pass(time.Second)
		c.wantState("job", "Succeeded web=Completed(0)")
		want := "2000-01-01T00:00:00.000000000Z stdout F begin\n2000-01-01T00:01:00.000000000Z stdout F end\n"
		if got := c.read("nodes/n1/pods/uid-of-job/containers/web/logs/0.log"); got != want {
			t.Errorf("log %q, want %q", got, want)
		}
		end := c.pod("job").Status.ContainerStatuses[0].State.Terminated
		if took := end.FinishedAt.Sub(end.StartedAt.Time); took != time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}

func TestRestart_WhatHappenedMeanwhile(t *testing.T) {
	inCluster(t, func(c *cluster) {
		for _, name := range []string{"stays", "forced", "deleted", "finished"} {
			c.create(newPod(name, mountsToken))
		}
		c.create(newPod("done", restart(corev1.RestartPolicyNever), runs("true")))
		done := c.pod("done").Status
		c.shutdown()
		c.delete("forced", metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))})
		c.delete("deleted", metav1.DeleteOptions{})
		finished := c.pod("finished")
		finished.Status.Phase = corev1.PodFailed
		if _, err := c.client.CoreV1().Pods("blue").UpdateStatus(c.Context(), finished, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		c.create(newPod("fresh", mountsToken))
		c.start()

		c.wantState("stays", "Running web=running")
		c.wantState("fresh", "Running web=running")
		c.wantState("deleted", "gone")
		c.cleanedUp("forced")
		c.cleanedUp("deleted")
		c.wantState("finished", "Failed web=running") // nobody knows how its container ended
		if c.exists("pods/blue/finished") || c.exists("nodes/n1/pods/uid-of-finished/volumes") {
			t.Error("the volumes of a finished pod are still there")
		}
		if diff := cmp.Diff(done, c.pod("done").Status); diff != "" {
			t.Errorf("the restart changed a finished pod's status:\n%s", diff)
		}
	})
}

func TestRestart_DirectoriesThatWentMissing(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.create(newPod("web", mountsToken))
		c.shutdown()
		for _, name := range []string{"nodes", "pods"} {
			if err := os.RemoveAll(filepath.Join(c.config.Dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		c.start()
		c.wantState("web", "Running web=running")
		if got := c.read("pods/blue/web/web" + serviceAccountDir + "/token"); got != "token 2 of blue/some-sa for pod uid-of-web" {
			t.Errorf("token %q", got)
		}
	})
}

// Directories that look like nobody's may be another node's, or no pod's at all.
func TestRestart_LeavesAloneWhatIsNotItsOwn(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.create(newPod("web"))
		c.shutdown()
		for _, name := range []string{"nodes/n2/pods/uid-2", "nodes/n1/rootfs/data", "pods/red/theirs", "pki"} {
			if err := os.MkdirAll(filepath.Join(c.config.Dir, name), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		link := filepath.Join(c.config.Dir, "pods/red/theirs/web")
		if err := os.Symlink("../../../nodes/n2/pods/uid-2/containers/web/rootfs", link); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(c.config.Dir, "nodes/n1/pods/orphan/volumes"), 0o700); err != nil {
			t.Fatal(err)
		}
		c.start()
		for _, name := range []string{"nodes/n2/pods/uid-2", "nodes/n1/rootfs/data", "pods/red/theirs/web", "pki", "nodes/n1/pods/uid-of-web"} {
			if !c.exists(name) {
				t.Errorf("%s was removed", name)
			}
		}
		if c.exists("nodes/n1/pods/orphan") {
			t.Error("an orphan is still there")
		}
	})
}

// The end of the node is nothing to warn of.
func TestRun_EndsQuietly(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.shutdown()
		var log bytes.Buffer
		c.config.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		c.start()
		c.create(newPod("web", mountsToken))
		c.create(newPod("waiting", mountsSecret("missing")))
		c.create(newPod("looping", runs("false")))
		c.delete("web", metav1.DeleteOptions{})
		c.shutdown()
		if log.Len() > 0 {
			t.Errorf("it logged:\n%s", &log)
		}
		c.config.Log = nil
		c.start()
	})
}
