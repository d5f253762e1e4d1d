package e2e

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
)

var figures = flag.Bool("figures", false, "measure start, stop, memory and latency, and print them")

// TestFigures prints what `make bench` reports. Nothing is asserted: timings never decide whether a test passes.
func TestFigures(t *testing.T) {
	if !*figures {
		t.Skip("run by `make bench`, which gives -figures")
	}
	const rounds = 7
	const rest = 10 * time.Second // from the last request to idleness: a server gives back what starting took
	var first, later, joined, back, stop, latency []time.Duration
	var rss int64
	for range rounds {
		s := newServer(t)
		first = append(first, timed(t, func() error { return s.up() }))
		client := kubernetes.NewForConfigOrDie(s.client(t))
		joined = append(joined, timed(t, func() error { return nodeReady(t, client) }))
		latency = append(latency, accountLatency(t, client)...)
		if rss == 0 {
			time.Sleep(rest)
			rss = resident(t, s.cmd.Process.Pid)
		}
		if err := s.down(); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		later = append(later, timed(t, func() error { return s.up() }))
		back = append(back, timed(t, func() error { return leaseRenewed(t, kubernetes.NewForConfigOrDie(s.client(t)), begun) }))
		watching, end := context.WithCancel(t.Context())
		openWatches(t, watching, kubernetes.NewForConfigOrDie(s.client(t)), 100)
		stop = append(stop, timed(t, s.down))
		end()
	}
	info, err := os.Stat(tools(t).coracle)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ what, got, target string }{
		{"first start, keys included, to /readyz (median)", median(first).String(), "300ms"},
		{"later start to /readyz (median)", median(later).String(), "100ms"},
		{"first start, from /readyz to a node that is Ready (median)", median(joined).String(), "300ms"},
		{"later start, from /readyz to the node's sign of life (median)", median(back).String(), "100ms"},
		{"SIGTERM to exit with 100 open watches (median)", median(stop).String(), "100ms"},
		{"default service account after its namespace (p50)", median(latency).String(), "10ms"},
		{"resident memory, idle", fmt.Sprintf("%.1f MiB", float64(rss)/(1<<20)), "60 MiB"},
		{"binary", fmt.Sprintf("%.1f MB", float64(info.Size())/1e6), "55 MB"},
	} {
		fmt.Printf("%-62s %14s   (aim: under %s)\n", row.what, row.got, row.target)
	}
}

func timed(t *testing.T, f func() error) time.Duration {
	t.Helper()
	begun := time.Now()
	if err := f(); err != nil {
		t.Fatal(err)
	}
	return time.Since(begun).Round(100 * time.Microsecond)
}

// nodeReady returns when the first node is.
func nodeReady(t *testing.T, client kubernetes.Interface) error {
	return until(t.Context(), func(ctx context.Context) (bool, error) {
		node, err := client.CoreV1().Nodes().Get(ctx, "node-1", metav1.GetOptions{})
		if err != nil {
			return false, nil
		}
		return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
		}), nil
	})
}

// leaseRenewed returns when the first node has renewed its lease after a time.
func leaseRenewed(t *testing.T, client kubernetes.Interface, after time.Time) error {
	return until(t.Context(), func(ctx context.Context) (bool, error) {
		lease, err := client.CoordinationV1().Leases(corev1.NamespaceNodeLease).Get(ctx, "node-1", metav1.GetOptions{})
		return err == nil && lease.Spec.RenewTime.After(after), nil
	})
}

func until(ctx context.Context, done func(context.Context) (bool, error)) error {
	return wait.PollUntilContextTimeout(ctx, time.Millisecond, patience, true, done)
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// accountLatency is how long after its namespace an account can be seen, some times over.
func accountLatency(t *testing.T, client kubernetes.Interface) []time.Duration {
	t.Helper()
	w, err := client.CoreV1().ServiceAccounts("").Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	var all []time.Duration
	for i := range 20 {
		name := fmt.Sprintf("space-%d", i)
		begun := time.Now()
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if _, err := client.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		for e := range w.ResultChan() {
			if sa, ok := e.Object.(*corev1.ServiceAccount); ok && sa.Namespace == name {
				break
			}
		}
		all = append(all, time.Since(begun).Round(10*time.Microsecond))
	}
	return all
}

func openWatches(t *testing.T, ctx context.Context, client kubernetes.Interface, n int) {
	t.Helper()
	for range n {
		if _, err := client.CoreV1().Pods("").Watch(ctx, metav1.ListOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// resident reads a process's memory as the kernel accounts it; 0 where that cannot be read.
func resident(t *testing.T, pid int) int64 {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "VmRSS:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, " kB")), 10, 64)
			return kb << 10
		}
	}
	return 0
}
