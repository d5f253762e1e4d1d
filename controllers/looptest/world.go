package looptest

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	clienttesting "k8s.io/client-go/testing"
)

// World is what a control loop sees of a cluster.
type World struct {
	// Client acts for the controllers and for the test alike; Client.Actions tells what was asked of it.
	Client *fake.Clientset
	// Factory makes the informers. Start starts it.
	Factory informers.SharedInformerFactory
	// Log goes to the test's output.
	Log *slog.Logger

	t       *testing.T
	tracker *tracker
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// Controller is what Start runs.
type Controller interface {
	Run(ctx context.Context) error
}

// Run calls body with a world in which objects exist, inside a synctest bubble, and ends the world afterwards.
func Run(t *testing.T, objects []runtime.Object, body func(t *testing.T, w *World)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.Stop()
		w.Add(objects...)
		body(t, w)
	})
}

func newWorld(t *testing.T) *World {
	w := &World{t: t, tracker: newTracker(), Client: &fake.Clientset{}}
	w.Client.AddReactor("*", "*", w.tracker.react)
	w.Client.AddReactor("*", "*", clienttesting.ObjectReaction(w.tracker))
	w.Client.AddWatchReactor("*", func(action clienttesting.Action) (bool, watch.Interface, error) {
		var opts metav1.ListOptions
		if a, ok := action.(clienttesting.WatchActionImpl); ok {
			opts = a.ListOptions
		}
		watcher, err := w.tracker.Watch(action.GetResource(), action.GetNamespace(), opts)
		return err == nil, watcher, err
	})
	w.Factory = informers.NewSharedInformerFactory(w.Client, 0)
	w.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

// Context ends with the world.
func (w *World) Context() context.Context { return w.ctx }

// Tracker is the world's store, for reactors: the fake is locked while it reacts, and must not be called.
func (w *World) Tracker() clienttesting.ObjectTracker { return w.tracker }

// Add stores objects as they are, apart from the UID and resource version that each gets.
func (w *World) Add(objects ...runtime.Object) {
	w.t.Helper()
	for _, obj := range objects {
		if err := w.tracker.Add(obj.DeepCopyObject()); err != nil {
			w.t.Fatalf("add %T: %v", obj, err)
		}
	}
}

// Start starts the informers and the controllers and waits until they have nothing left to do.
func (w *World) Start(controllers ...Controller) {
	w.t.Helper()
	w.Factory.StartWithContext(w.ctx)
	for _, c := range controllers {
		w.running.Go(func() {
			if err := c.Run(w.ctx); err != nil {
				w.t.Errorf("%T: %v", c, err)
			}
		})
	}
	w.Settle()
}

// Settle waits until everybody waits: for an event, or for time to pass.
func (w *World) Settle() { synctest.Wait() }

// Advance lets time pass and settles.
func (w *World) Advance(d time.Duration) {
	time.Sleep(d) // the bubble's time, not ours
	synctest.Wait()
}

// Stop ends the controllers and informers. What is stored stays: New controllers may be started on a World
// that Restart returns.
func (w *World) Stop() {
	w.cancel()
	w.running.Wait()
	w.Factory.Shutdown()
}

// Restart stops the world and returns it with the same objects, no controllers, and empty caches.
func (w *World) Restart() {
	w.Stop()
	w.Factory = informers.NewSharedInformerFactory(w.Client, 0)
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.Client.ClearActions()
}

// Scheme knows the kinds of client-go's clientset.
func (w *World) Scheme() *runtime.Scheme { return scheme.Scheme }
