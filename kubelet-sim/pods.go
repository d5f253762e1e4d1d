package kubeletsim

import (
	"context"
	"errors"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"coracle/kubelet-sim/objects"
	"coracle/kubelet-sim/status"
)

// watchPods follows the pods that are bound to this node, and no others, until ctx ends.
func (n *node) watchPods(ctx context.Context) {
	only := fields.OneTermEqualSelector("spec.nodeName", n.config.NodeName).String()
	api := n.client.CoreV1().Pods(metav1.NamespaceAll)
	source := cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = only
			return api.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector = only
			return api.Watch(ctx, options)
		},
	}, n.client)
	store := &podStore{
		node:    n.config.NodeName,
		update:  func(pod *corev1.Pod) { n.workers.update(ctx, n, pod) },
		remove:  n.workers.remove,
		replace: func(pods []*corev1.Pod) { n.replacePods(ctx, pods) },
	}
	reflector := cache.NewReflectorWithOptions(source, &corev1.Pod{}, store, cache.ReflectorOptions{Name: "pods of " + n.config.NodeName})
	objects.Follow(ctx, reflector, func(err error) { n.log.Warn("cannot watch pods", "err", err) })
}

// replacePods brings all pods that there are. Whatever is left of others goes.
func (n *node) replacePods(ctx context.Context, pods []*corev1.Pod) {
	var uids []types.UID
	// Pods that have an address keep it, before new ones are given theirs.
	for _, pod := range pods {
		uids = append(uids, pod.UID)
		if !pod.Spec.HostNetwork && !status.Terminal(pod.Status.Phase) {
			n.addresses.reserve(pod.UID, pod.Status.PodIP)
		}
	}
	for _, pod := range pods {
		n.workers.update(ctx, n, pod)
	}
	ending := n.workers.removeOthers(uids)
	if err := n.removeOrphans(slices.Concat(uids, ending)); err != nil {
		n.log.Warn("cannot remove what is left of pods that are gone", "err", err)
	}
}

// podStore is where a reflector delivers pods, one at a time. Those of other nodes are left alone, should
// a server send any.
type podStore struct {
	node    string
	update  func(*corev1.Pod)
	remove  func(types.UID)
	replace func([]*corev1.Pod)
}

func (s *podStore) mine(object any) (*corev1.Pod, bool) {
	pod, ok := object.(*corev1.Pod)
	return pod, ok && pod.Spec.NodeName == s.node
}

// Add, Update, Delete, Replace and Resync make it a cache.ReflectorStore.

func (s *podStore) Add(object any) error {
	if pod, ok := s.mine(object); ok {
		s.update(pod)
	}
	return nil
}

func (s *podStore) Update(object any) error { return s.Add(object) }

func (s *podStore) Delete(object any) error {
	if pod, ok := s.mine(object); ok {
		s.remove(pod.UID)
	}
	return nil
}

func (s *podStore) Replace(list []any, _ string) error {
	var pods []*corev1.Pod
	for _, object := range list {
		if pod, ok := s.mine(object); ok {
			pods = append(pods, pod)
		}
	}
	s.replace(pods)
	return nil
}

func (s *podStore) Resync() error { return nil }

// removeOrphans removes the directories and links of pods that nobody knows any more.
func (n *node) removeOrphans(known []types.UID) error {
	uids, err := n.disk.Pods()
	if err != nil {
		return err
	}
	for _, uid := range uids {
		if !slices.Contains(known, uid) {
			n.log.Info("removing the directory of a pod that is gone", "uid", uid)
			err = errors.Join(err, n.disk.Remove(uid))
		}
	}
	return errors.Join(err, n.disk.UnlinkOthers(known))
}

// workers are the pods being run.
type workers struct {
	done sync.WaitGroup

	mu    sync.Mutex
	byUID map[types.UID]*worker // guarded by mu
}

func newWorkers() *workers { return &workers{byUID: map[types.UID]*worker{}} }

// update gives a pod to its worker, which is started if there is none.
func (w *workers) update(ctx context.Context, n *node, pod *corev1.Pod) {
	w.mu.Lock()
	defer w.mu.Unlock()
	worker, ok := w.byUID[pod.UID]
	if !ok {
		worker = newWorker(n, pod)
		w.byUID[pod.UID] = worker
		w.done.Go(func() {
			worker.run(ctx)
			w.mu.Lock()
			defer w.mu.Unlock()
			delete(w.byUID, pod.UID)
		})
		return
	}
	worker.update(pod)
}

// remove tells a worker that its pod is gone from the API.
func (w *workers) remove(uid types.UID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if worker, ok := w.byUID[uid]; ok {
		worker.remove()
	}
}

// removeOthers does so for all but the pods given, and returns those it told.
func (w *workers) removeOthers(known []types.UID) (told []types.UID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for uid, worker := range w.byUID {
		if !slices.Contains(known, uid) {
			worker.remove()
			told = append(told, uid)
		}
	}
	return told
}

// pods are the newest versions of all pods that are still in the API.
func (w *workers) pods() (pods []*corev1.Pod) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, worker := range w.byUID {
		if pod := worker.current(); pod != nil {
			pods = append(pods, pod)
		}
	}
	return pods
}

// wake makes a worker look again.
func (w *workers) wake(uid types.UID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if worker, ok := w.byUID[uid]; ok {
		worker.poke()
	}
}

// wait waits until all workers have ended, as they do when the context of Run has.
func (w *workers) wait() { w.done.Wait() }
