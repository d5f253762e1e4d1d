package objects

import (
	"cmp"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// bundles are the cluster's ClusterTrustBundles, all of them: what is in one is for everybody to read, and a pod may
// select bundles by signer and labels. They are watched from when a pod first projects any.
type bundles struct {
	all   *Collection[*certificatesv1.ClusterTrustBundle]
	start sync.Once
	order maphash.Seed // of anchors: see anchors

	mu    sync.Mutex
	users map[types.UID][]*corev1.ClusterTrustBundleProjection // guarded by mu
}

func newBundles(notify func(types.UID)) *bundles {
	b := &bundles{order: maphash.MakeSeed(), users: map[types.UID][]*corev1.ClusterTrustBundleProjection{}}
	b.all = NewCollection(func(changed *certificatesv1.ClusterTrustBundle, _ bool) {
		b.mu.Lock()
		defer b.mu.Unlock()
		for pod, sources := range b.users {
			if slices.ContainsFunc(sources, func(s *corev1.ClusterTrustBundleProjection) bool { return concerns(s, changed) }) {
				notify(pod)
			}
		}
	})
	return b
}

// concerns tells whether a change of the bundle may change what the source is to contain. Labels are not asked: they
// may be what has changed.
func concerns(s *corev1.ClusterTrustBundleProjection, bundle *certificatesv1.ClusterTrustBundle) bool {
	if s.Name != nil {
		return *s.Name == bundle.Name
	}
	return s.SignerName != nil && *s.SignerName == bundle.Spec.SignerName
}

// use notes what a pod projects, and watches bundles if that is anything.
func (b *bundles) use(ctx context.Context, s *Store, pod *corev1.Pod) {
	var sources []*corev1.ClusterTrustBundleProjection
	for _, volume := range pod.Spec.Volumes {
		if volume.Projected == nil {
			continue
		}
		for _, source := range volume.Projected.Sources {
			if source.ClusterTrustBundle != nil {
				sources = append(sources, source.ClusterTrustBundle)
			}
		}
	}
	if len(sources) == 0 {
		return // which of its volumes a pod has cannot change
	}
	b.mu.Lock()
	b.users[pod.UID] = sources
	b.mu.Unlock()
	b.start.Do(func() {
		api := s.client.CertificatesV1().ClusterTrustBundles()
		source := cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
			ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
				return api.List(ctx, options)
			},
			WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
				return api.Watch(ctx, options)
			},
		}, s.client)
		s.watch.Go(func() {
			b.all.Follow(ctx, source, &certificatesv1.ClusterTrustBundle{}, "clustertrustbundles", func(err error) {
				s.log.Warn("cannot watch", "kind", "clustertrustbundle", "err", err)
			})
		})
	})
}

func (b *bundles) forget(pod types.UID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.users, pod)
}

// TrustAnchors are the certificates in the bundles that a registered pod's source selects, each once, as PEM and nothing
// else. They are empty if there are none and the source is optional.
// Source of the sentences: k8s.io/kubernetes/pkg/kubelet/clustertrustbundle.
func (s *Store) TrustAnchors(ctx context.Context, source *corev1.ClusterTrustBundleProjection) ([]byte, error) {
	if source.Name == nil && source.SignerName == nil {
		return nil, errors.New("ClusterTrustBundle projection requires either name or signerName to be set")
	}
	if !s.bundles.all.Wait(ctx) {
		return nil, errors.New("ClusterTrustBundle informer has not yet synced")
	}
	optional := source.Optional != nil && *source.Optional
	if source.Name != nil {
		bundle, ok := s.bundles.all.Get("", *source.Name)
		switch {
		case ok:
			return s.bundles.anchors(bundle), nil
		case optional:
			return nil, nil
		}
		return nil, fmt.Errorf("while getting ClusterTrustBundle: %w", apierrors.NewNotFound(certificatesv1.Resource("clustertrustbundle"), *source.Name))
	}
	selector, err := metav1.LabelSelectorAsSelector(source.LabelSelector) // no selector selects nothing, an empty one all
	if err != nil {
		return nil, fmt.Errorf("while parsing label selector: %w", err)
	}
	var selected []*certificatesv1.ClusterTrustBundle
	for _, bundle := range s.bundles.all.All() {
		if bundle.Spec.SignerName == *source.SignerName && selector.Matches(labels.Set(bundle.Labels)) {
			selected = append(selected, bundle)
		}
	}
	if len(selected) == 0 && !optional {
		return nil, errors.New("combination of signerName and labelSelector matched zero ClusterTrustBundles")
	}
	return s.bundles.anchors(selected...), nil
}

// anchors are in an order that stays for as long as the kubelet runs and is another the next time, as a kubelet's: nobody
// shall come to rely on it.
func (b *bundles) anchors(bundles ...*certificatesv1.ClusterTrustBundle) []byte {
	var anchors []string
	for _, bundle := range bundles {
		for block, rest := pem.Decode([]byte(bundle.Spec.TrustBundle)); block != nil; block, rest = pem.Decode(rest) {
			anchors = append(anchors, string(block.Bytes))
		}
	}
	slices.SortFunc(anchors, func(x, y string) int {
		return cmp.Or(cmp.Compare(maphash.String(b.order, x), maphash.String(b.order, y)), cmp.Compare(x, y))
	})
	var out []byte
	for _, anchor := range slices.Compact(anchors) {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(anchor)})...)
	}
	return out
}
