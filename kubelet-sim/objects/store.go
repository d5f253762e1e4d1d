package objects

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// patience is how long answers wait for the first read of an object, counted from when it was first named: a pod
// that names many objects which cannot be read waits for all of them at once.
const patience = time.Second

// Store holds the objects that registered pods name, and the bundles that they select.
type Store struct {
	client kubernetes.Interface
	log    *slog.Logger
	notify func(types.UID)
	watch  sync.WaitGroup

	bundles *bundles

	// mu guards items, pods and each item's users.
	mu    sync.Mutex
	items map[key]*item
	pods  map[types.UID]map[key]bool
}

// New makes a store. notify is called with each pod that names an object, after the object changed;
// it must not block and must not call the store.
func New(client kubernetes.Interface, log *slog.Logger, notify func(types.UID)) *Store {
	return &Store{
		client: client, log: log, notify: notify, bundles: newBundles(notify),
		items: map[key]*item{}, pods: map[types.UID]map[key]bool{},
	}
}

// Register watches what the pod names now, until it is registered again without it, or unregistered, or ctx ends.
func (s *Store) Register(ctx context.Context, pod *corev1.Pod) {
	s.use(ctx, pod.UID, references(pod))
	s.bundles.use(ctx, s, pod)
}

// Unregister forgets a pod, and the objects that only it named.
func (s *Store) Unregister(pod types.UID) {
	s.use(context.Background(), pod, nil)
	s.bundles.forget(pod)
}

func (s *Store) use(ctx context.Context, pod types.UID, keys map[key]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range keys {
		it, ok := s.items[k]
		if !ok {
			watching, stop := context.WithCancel(ctx)
			it = &item{key: k, users: map[types.UID]bool{}, stop: stop, born: time.Now(), synced: make(chan struct{})}
			it.changed = func() { s.tell(it) }
			s.items[k] = it
			s.watch.Go(func() { it.run(watching, s.client, s.log) })
		}
		it.users[pod] = true
	}
	for k := range s.pods[pod] {
		it := s.items[k]
		if keys[k] {
			continue
		}
		delete(it.users, pod)
		if len(it.users) == 0 {
			it.stop()
			delete(s.items, k)
		}
	}
	if len(keys) == 0 {
		delete(s.pods, pod)
		return
	}
	s.pods[pod] = keys
}

func (s *Store) tell(it *item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for pod := range it.users {
		s.notify(pod)
	}
}

// Wait waits until all watches have ended, which they do when the contexts of Register have.
func (s *Store) Wait() { s.watch.Wait() }

// Secret is the newest known Secret; a NotFound error says that there is none. It is shared: not to be changed.
func (s *Store) Secret(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	object, err := s.get(ctx, key{"secret", namespace, name})
	secret, _ := object.(*corev1.Secret)
	return secret, err
}

// ConfigMap is the newest known ConfigMap, like Secret.
func (s *Store) ConfigMap(ctx context.Context, namespace, name string) (*corev1.ConfigMap, error) {
	object, err := s.get(ctx, key{"configmap", namespace, name})
	configMap, _ := object.(*corev1.ConfigMap)
	return configMap, err
}

func (s *Store) get(ctx context.Context, k key) (runtime.Object, error) {
	s.mu.Lock()
	it, ok := s.items[k]
	s.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("object %q/%q not registered", k.namespace, k.name)
	}
	if err := it.wait(ctx); err != nil {
		return nil, err
	}
	if object := it.load(); object != nil {
		return object, nil
	}
	return nil, apierrors.NewNotFound(schema.GroupResource{Resource: k.kind}, k.name)
}
