package e2e

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// TestSpeed prints what a request costs the server, in CPU time as the kernel accounts it, beside what a bare server
// spends on the same bytes, and beside what the real kube-apiserver and etcd spend on the same request, where `make oracle` has
// built them. `make bench` runs it. Nothing is asserted.
func TestSpeed(t *testing.T) {
	if !*figures {
		t.Skip("run by `make bench`, which gives -figures")
	}
	s := newServer(t)
	// What an API server spends, as kube-apiserver is one: without controllers, but for that which gives namespaces their account.
	if err := s.up("--nodes", "0", "--controllers=serviceaccount"); err != nil {
		t.Fatal(err)
	}
	bare := startBare(t, s.dir)
	client, err := rest.HTTPClientFor(s.client(t))
	if err != nil {
		t.Fatal(err)
	}
	ours := &measured{t: t, client: client, url: s.url, pids: []int{s.cmd.Process.Pid}}
	theirs := &measured{t: t, client: client, url: bare.url, pids: []int{bare.pid}}
	real := startReal(t)
	ours.must("POST", "/api/v1/namespaces", `{"metadata":{"name":"speed"}}`, "")

	const pods = "/api/v1/namespaces/speed/pods"
	fmt.Printf("%-34s %10s %10s %8s %14s %8s\n", "CPU of the server per request", "coracle", "bare", "ratio", "kube-apiserver", "ratio")
	row := func(what string, got time.Duration, against ...time.Duration) {
		line := fmt.Sprintf("%-34s %10s", what, got.Round(100*time.Nanosecond))
		for i, width := range []int{10, 14}[:len(against)] {
			ratio := "-"
			if against[i] > 0 {
				ratio = fmt.Sprintf("%.2f", float64(got)/float64(against[i]))
			}
			line += fmt.Sprintf(" %*s %8s", width, against[i].Round(100*time.Nanosecond), ratio)
		}
		fmt.Println(line)
	}
	stored := 0
	fill := func(upto int) {
		from := stored
		ours.cost(upto-from, 8, func(i int) (string, string, string, string) {
			return "POST", pods, pod(fmt.Sprintf("p-%06d", from+i)), ""
		})
		stored = upto
	}
	for _, size := range []int{1000, 50000} {
		fill(size)
		fmt.Printf("with %d pods stored\n", size)
		theirs.must("POST", "/keep", string(ours.must("GET", pods+"/p-000007", "", "")), "")
		bareGet := theirs.cost(20000, 8, func(int) (string, string, string, string) { return "GET", "/object", "", "" })
		row("get", ours.cost(20000, 8, func(i int) (string, string, string, string) {
			return "GET", pods + "/p-" + fmt.Sprintf("%06d", i%size), "", ""
		}), bareGet)
		bareCommit := theirs.cost(4000, 8, func(i int) (string, string, string, string) {
			return "POST", "/commit", pod("x"), ""
		})
		prefix := fmt.Sprintf("c-%d-", size)
		got := lifetimes(ours, pods, prefix)
		var upstream []time.Duration
		if real != nil {
			upstream = lifetimes(real, pods, prefix)
		}
		for i, what := range lifetime {
			base := bareCommit
			if what == "get" {
				base = bareGet
			}
			against := []time.Duration{base}
			if upstream != nil {
				against = append(against, upstream[i])
			}
			row(what, got[i], against...)
		}
	}
	list := ours.must("GET", pods+"?limit=10000", "", "")
	theirs.must("POST", "/keep", string(list), "")
	base := theirs.cost(30, 1, func(int) (string, string, string, string) { return "GET", "/object", "", "" })
	row(fmt.Sprintf("list of 10,000 (%d MB)", len(list)/1e6), ours.cost(30, 1, func(int) (string, string, string, string) { return "GET", pods + "?limit=10000", "", "" }), base)
	baseWall := theirs.wall(30, "/object")
	row("  the same, elapsed", ours.wall(30, pods+"?limit=10000"), baseWall)

	const streams, events = 100, 300
	got, one := fanOut(ours, streams, events)
	theirs.must("POST", "/keep", string(one), "")
	row(fmt.Sprintf("event to one of %d watchers", streams), got, fanOutBare(theirs, streams, events))
}

// lifetime is what is done to each pod, one after the other.
var lifetime = []string{"create", "get", "update", "patch (strategic merge)", "patch (status)", "apply", "delete"}

// lifetimes is what each step of lifetime costs a server, over 4,000 pods.
func lifetimes(m *measured, pods, prefix string) []time.Duration {
	m.t.Helper()
	const n = 4000
	name := func(i int) string { return fmt.Sprintf("%s%06d", prefix, i) }
	stood := make([]string, n)
	var costs []time.Duration
	for _, what := range lifetime {
		if what == "update" {
			for i := range stood {
				stood[i] = string(m.must("GET", pods+"/"+name(i), "", ""))
			}
		}
		costs = append(costs, m.cost(n, 8, func(i int) (string, string, string, string) {
			at := pods + "/" + name(i)
			switch what {
			case "create":
				return "POST", pods, pod(name(i)), ""
			case "get":
				return "GET", at, "", ""
			case "update":
				return "PUT", at, strings.Replace(stood[i], "image:1.2.3", "image:1.2.4", 1), ""
			case "patch (strategic merge)":
				return "PATCH", at, `{"metadata":{"labels":{"patched":"yes"}}}`, "application/strategic-merge-patch+json"
			case "patch (status)":
				return "PATCH", at + "/status", `{"status":{"message":"m"}}`, "application/strategic-merge-patch+json"
			case "apply":
				return "PATCH", at + "?fieldManager=me", fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":%q,"labels":{"applied":"%d"}}}`, name(i), i), "application/apply-patch+yaml"
			}
			return "DELETE", at + "?gracePeriodSeconds=0", "", ""
		}))
	}
	return costs
}

// pod is a pod of about 2 KB that no scheduler takes.
func pod(name string) string { return strings.Replace(podOf2K, "NAME", name, 1) }

//go:embed testdata/pod-of-2k.json
var podOf2K string

// measured is a server whose CPU time is read.
type measured struct {
	t      *testing.T
	client *http.Client
	url    string
	pids   []int
}

// nth gives method, path, body and content type of the i-th request.
type nth func(i int) (method, path, body, contentType string)

// cost is the CPU time that the server spends per request, over n requests, some at a time.
func (m *measured) cost(n, atOnce int, of nth) time.Duration {
	m.t.Helper()
	begun := m.cpu()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				method, path, body, contentType := of(i)
				if _, err := m.do(method, path, body, contentType, false); err != nil {
					m.t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return (m.cpu() - begun) / time.Duration(max(n, 1))
}

// wall is how long one request takes.
func (m *measured) wall(n int, path string) time.Duration {
	m.t.Helper()
	begun := time.Now()
	for range n {
		if _, err := m.do("GET", path, "", "", false); err != nil {
			m.t.Fatal(err)
		}
	}
	return time.Since(begun) / time.Duration(n)
}

func (m *measured) must(method, path, body, contentType string) []byte {
	m.t.Helper()
	b, err := m.do(method, path, body, contentType, true)
	if err != nil {
		m.t.Fatal(err)
	}
	return b
}

func (m *measured) do(method, path, body, contentType string, keep bool) ([]byte, error) {
	r, err := http.NewRequest(method, m.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if contentType == "" {
		contentType = "application/json"
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Accept-Encoding", "identity")
	answer, err := m.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if keep || answer.StatusCode >= 300 {
		b, err := io.ReadAll(answer.Body)
		if err == nil && answer.StatusCode >= 300 {
			err = fmt.Errorf("%s %s: %s: %.300s", method, path, answer.Status, b)
		}
		return b, err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return nil, err
}

// cpu is what the server's processes have spent until now.
func (m *measured) cpu() time.Duration {
	var sum int64
	for _, pid := range m.pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			m.t.Fatal(err)
		}
		// The name of the program, in parentheses, may have spaces; utime and stime are the 14th and 15th fields.
		fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		for _, f := range fields[11:13] {
			n, err := strconv.ParseInt(f, 10, 64)
			if err != nil {
				m.t.Fatal(err)
			}
			sum += n
		}
	}
	const ticks = 100 // per second, on every Linux that Go runs on
	return time.Duration(sum) * time.Second / ticks
}

// fanOut is the cost of one event to one watcher, what writing the event costs taken off, and an event's bytes.
func fanOut(m *measured, streams, events int) (time.Duration, []byte) {
	m.t.Helper()
	const configmaps = "/api/v1/namespaces/speed/configmaps"
	write := func(i int) (string, string, string, string) {
		return "PUT", configmaps + "/changing", fmt.Sprintf(`{"metadata":{"name":"changing"},"data":{"n":"%d","text":%q}}`, i, strings.Repeat("x", 2000)), ""
	}
	m.must("POST", configmaps, `{"metadata":{"name":"changing"}}`, "")
	alone := m.cost(events, 1, write)
	begun := m.cpu()
	read := watchers(m, streams, configmaps+"?watch=true&fieldSelector=metadata.name%3Dchanging&resourceVersion="+version(m, configmaps), events, func() { m.cost(events, 1, write) })
	return (m.cpu() - begun - alone*time.Duration(events)) / time.Duration(streams*events), read
}

func fanOutBare(m *measured, streams, events int) time.Duration {
	m.t.Helper()
	begun := m.cpu()
	watchers(m, streams, fmt.Sprintf("/stream?n=%d", events), events, func() { m.must("POST", "/start", "", "") })
	return (m.cpu() - begun) / time.Duration(streams*events)
}

func version(m *measured, path string) string {
	var list struct {
		Metadata struct{ ResourceVersion string }
	}
	if err := json.Unmarshal(m.must("GET", path, "", ""), &list); err != nil {
		m.t.Fatal(err)
	}
	return list.Metadata.ResourceVersion
}

// watchers opens streams, lets something happen, and reads from each as many lines as there are events. It returns the last.
func watchers(m *measured, streams int, path string, events int, happen func()) []byte {
	m.t.Helper()
	ctx, cancel := context.WithCancel(m.t.Context())
	defer cancel()
	var open, done sync.WaitGroup
	open.Add(streams)
	lines := make([][]byte, streams)
	for i := range streams {
		done.Go(func() {
			r, err := http.NewRequestWithContext(ctx, "GET", m.url+path, nil)
			if err != nil {
				m.t.Error(err)
				open.Done()
				return
			}
			r.Header.Set("Accept-Encoding", "identity")
			answer, err := m.client.Do(r)
			open.Done()
			if err != nil {
				m.t.Error(err)
				return
			}
			defer answer.Body.Close()
			scanner := bufio.NewScanner(answer.Body)
			scanner.Buffer(nil, 1<<20)
			for range events {
				if !scanner.Scan() {
					m.t.Errorf("a stream ended: %v", scanner.Err())
					return
				}
			}
			lines[i] = append(bytes.Clone(scanner.Bytes()), '\n')
		})
	}
	open.Wait()
	happen()
	done.Wait()
	return lines[0]
}

type bareServer struct {
	url string
	pid int
}

// startBare starts this test binary as the bare server.
func startBare(t *testing.T, dir string) bareServer {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), bareVariable+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return bareServer{url: strings.TrimSpace(line), pid: cmd.Process.Pid}
}
