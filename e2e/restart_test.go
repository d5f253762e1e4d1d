package e2e

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// TestRestart_LosesNothingAcknowledged kills the server in the middle of a thousand creations and of a watch.
// Afterwards every creation that was acknowledged is there, and the watch goes on from where it was:
// together its two halves have told of every object once.
func TestRestart_LosesNothingAcknowledged(t *testing.T) {
	s := newServer(t)
	if err := s.up("--nodes=0"); err != nil {
		t.Fatal(err)
	}
	client := kubernetes.NewForConfigOrDie(s.client(t))
	maps := client.CoreV1().ConfigMaps("default")

	begin, err := maps.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]int{}
	w, err := maps.Watch(t.Context(), metav1.ListOptions{ResourceVersion: begin.ResourceVersion})
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan string, 1)
	go func() {
		last := begin.ResourceVersion
		for e := range w.ResultChan() {
			if cm, ok := e.Object.(*corev1.ConfigMap); ok && e.Type == watch.Added {
				told[cm.Name]++
				last = cm.ResourceVersion
			}
		}
		seen <- last
	}()

	const objects, killAfter, writers = 1000, 400, 16
	var acknowledged sync.Map
	var done atomic.Int64
	next := make(chan int)
	halfway := make(chan struct{})
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for i := range next {
				name := fmt.Sprintf("cm-%04d", i)
				cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"i": strconv.Itoa(i)}}
				if _, err := maps.Create(t.Context(), cm, metav1.CreateOptions{}); err == nil {
					acknowledged.Store(name, true)
					if done.Add(1) == killAfter {
						close(halfway)
					}
				}
			}
		})
	}
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		<-halfway
		s.kill()
	}()
feed:
	for i := range objects {
		select {
		case next <- i:
		case <-killed: // what is asked of nobody proves nothing
			break feed
		}
	}
	close(next)
	wg.Wait()
	last := <-seen
	if done.Load() < killAfter {
		t.Fatalf("only %d creations were acknowledged", done.Load())
	}

	if err := s.up("--nodes=0"); err != nil {
		t.Fatal(err)
	}
	client = kubernetes.NewForConfigOrDie(s.client(t))
	maps = client.CoreV1().ConfigMaps("default")
	list, err := maps.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, cm := range list.Items {
		there[cm.Name] = true
	}
	acknowledged.Range(func(name, _ any) bool {
		if !there[name.(string)] {
			t.Errorf("%s was acknowledged and is lost", name)
		}
		return true
	})

	// The watch goes on.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	w, err = maps.Watch(ctx, metav1.ListOptions{ResourceVersion: last})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	end := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "end"}}
	if _, err := maps.Create(t.Context(), end, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for e := range w.ResultChan() {
		cm, ok := e.Object.(*corev1.ConfigMap)
		if !ok {
			t.Fatalf("the watch from %s tells %s %v", last, e.Type, e.Object)
		}
		if cm.Name == "end" {
			break
		}
		if e.Type == watch.Added {
			told[cm.Name]++
		}
	}
	for name := range there {
		if want := 1; name != "kube-root-ca.crt" && told[name] != want {
			t.Errorf("%s was told %d times, want %d", name, told[name], want)
		}
	}
}
