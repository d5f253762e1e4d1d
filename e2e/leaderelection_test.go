package e2e

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// candidate is one that wants to lead: a program of its own, as far as the server can tell.
type candidate struct {
	name   string
	cancel context.CancelFunc
	dead   chan struct{} // closed when nothing that it sends arrives any more
	ended  chan struct{}
}

// campaign starts a candidate for the lease default/boat. Whoever begins to lead sends its name to led.
func campaign(t *testing.T, config *rest.Config, name string, led chan<- string) *candidate {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	c := &candidate{name: name, cancel: cancel, dead: make(chan struct{}), ended: make(chan struct{})}
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			select {
			case <-c.dead:
				return nil, errors.New("the dead send nothing")
			default:
				return next.RoundTrip(r)
			}
		})
	})
	client := kubernetes.NewForConfigOrDie(config)
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, "default", "boat", client.CoreV1(), client.CoordinationV1(), resourcelock.ResourceLockConfig{Identity: name})
	if err != nil {
		t.Fatal(err)
	}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, LeaseDuration: 2 * time.Second, RenewDeadline: time.Second, RetryPeriod: 100 * time.Millisecond, ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { led <- name },
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.ended)
		elector.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-c.ended })
	return c
}

// TestLeaderElection_HandsOver has three candidates of client-go lead one after the other: the first releases the lease, and
// the next leads at once; the second dies without a word, and the third leads only when the lease has run out.
func TestLeaderElection_HandsOver(t *testing.T) {
	s := newServer(t)
	if err := s.up("--nodes=0"); err != nil {
		t.Fatal(err)
	}
	config := s.client(t)
	leases := kubernetes.NewForConfigOrDie(config).CoordinationV1().Leases("default")
	led := make(chan string, 10)
	next := func() string {
		select {
		case name := <-led:
			return name
		case <-time.After(patience):
			t.Fatal("nobody leads")
			return ""
		}
	}
	check := func(holder string, transitions int32) (renewed time.Time) {
		t.Helper()
		lease, err := leases.Get(t.Context(), "boat", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := *lease.Spec.HolderIdentity; got != holder {
			t.Errorf("the lease is held by %q, and %q leads", got, holder)
		}
		if got := *lease.Spec.LeaseTransitions; got != transitions {
			t.Errorf("the lease changed hands %d times, want %d", got, transitions)
		}
		return lease.Spec.RenewTime.Time
	}

	first := campaign(t, config, "ann", led)
	if got := next(); got != "ann" {
		t.Fatalf("%s leads, and ann is alone", got)
	}
	check("ann", 0)
	others := []*candidate{campaign(t, config, "bob", led), campaign(t, config, "cat", led)}

	first.cancel()
	<-first.ended
	leader := next()
	check(leader, 1)
	if leader == "ann" {
		t.Fatal("ann leads again, and has gone")
	}

	i := slices.IndexFunc(others, func(c *candidate) bool { return c.name == leader })
	died := time.Now()
	close(others[i].dead)
	last := next()
	if last != others[1-i].name {
		t.Fatalf("%s leads after %s has died", last, leader)
	}
	check(last, 2)
	if waited := time.Since(died); waited < time.Second {
		t.Errorf("%s leads %s after the last sign of life of %s, and its lease was of 2s", last, waited, leader)
	}
}
