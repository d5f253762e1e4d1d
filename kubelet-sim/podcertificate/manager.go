package podcertificate

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"coracle/kubelet-sim/objects"
)

// Config says for which node. All of it is required.
type Config struct {
	NodeName string
	Client   kubernetes.Interface
	// Event records something about a pod.
	Event func(pod *corev1.Pod, kind, reason, message string)
	// Notify is called with each pod whose request was answered, or is gone. It must not block.
	Notify func(types.UID)
	Now    func() time.Time
	Log    *slog.Logger
}

// Manager gets the certificates of a node's pods.
type Manager struct {
	config   Config
	requests *objects.Collection[*certificatesv1.PodCertificateRequest]
	start    sync.Once
	watch    sync.WaitGroup

	mu      sync.Mutex
	sources map[sourceKey]*source // guarded by mu; each source is its pod's worker's
}

// sourceKey names one source of one volume of a pod.
type sourceKey struct {
	pod    types.UID
	volume string
	index  int
}

// New makes a manager. It asks for nothing before a pod does.
func New(config Config) *Manager {
	m := &Manager{config: config, sources: map[sourceKey]*source{}}
	m.requests = objects.NewCollection(func(r *certificatesv1.PodCertificateRequest, gone bool) {
		if gone || len(r.Status.Conditions) > 0 {
			config.Notify(r.Spec.PodUID)
		}
	})
	return m
}

// Credential is a private key in PKCS #8 and the certificates for it, leaf first. Both are PEM.
type Credential struct{ Key, Chain []byte }

var errNotIssued = errors.New("credential bundle is not issued yet")

// PodCertificate answers with what a source is to contain now, and when to ask again; that is also when Notify says so. Calls
// for the same pod come one after the other. The first of all begins to watch, until its ctx ends.
func (m *Manager) PodCertificate(ctx context.Context, pod *corev1.Pod, volume string, index int, wanted *corev1.PodCertificateProjection) (Credential, time.Time, error) {
	m.start.Do(func() { m.watch.Go(func() { m.follow(ctx) }) })
	key := sourceKey{pod.UID, volume, index}
	m.mu.Lock()
	s, ok := m.sources[key]
	if !ok {
		s = &source{Manager: m}
		m.sources[key] = s
	}
	m.mu.Unlock()
	return s.step(ctx, pod, wanted)
}

// Forget drops the keys of a pod.
func (m *Manager) Forget(pod types.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key := range m.sources {
		if key.pod == pod {
			delete(m.sources, key)
		}
	}
}

// Wait waits until the watch has ended, as it does when its context has.
func (m *Manager) Wait() { m.watch.Wait() }

// follow watches the requests that are for this node's pods, and no others.
func (m *Manager) follow(ctx context.Context) {
	only := fields.OneTermEqualSelector("spec.nodeName", m.config.NodeName).String()
	api := m.config.Client.CertificatesV1().PodCertificateRequests(metav1.NamespaceAll)
	source := cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = only
			return api.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector = only
			return api.Watch(ctx, options)
		},
	}, m.config.Client)
	m.requests.Follow(ctx, source, &certificatesv1.PodCertificateRequest{}, "podcertificaterequests of "+m.config.NodeName, func(err error) {
		m.config.Log.Warn("cannot watch", "kind", "podcertificaterequest", "err", err)
	})
}
