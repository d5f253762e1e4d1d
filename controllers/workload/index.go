package workload

import (
	"slices"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
)

const byOwner = "controllerUID"

// Index finds an owner's pods without looking at all pods. All controllers share the one index of the informer.
type Index struct{ indexer cache.Indexer }

// NewIndex makes sure that the informer of pods has the index. Call it before the informer starts.
func NewIndex(pods cache.SharedIndexInformer) Index {
	indexer := pods.GetIndexer()
	if _, ok := indexer.GetIndexers()[byOwner]; !ok {
		// Only an informer that has been stopped refuses; list does without the index then.
		_ = pods.AddIndexers(cache.Indexers{byOwner: owner})
	}
	return Index{indexer}
}

func owner(obj any) ([]string, error) {
	pod, ok := obj.(*v1.Pod)
	if !ok {
		return nil, nil
	}
	if ref := metav1.GetControllerOfNoCopy(pod); ref != nil {
		return []string{string(ref.UID)}, nil
	}
	return []string{orphans(pod.Namespace)}, nil
}

func orphans(namespace string) string { return "orphans/" + namespace }

// Owned are the pods whose controller has that UID. They belong to the cache: not to be changed.
func (i Index) Owned(owner types.UID) []*v1.Pod { return i.list(string(owner)) }

// Candidates are the pods that owner may claim: its own and those in its namespace that are nobody's.
func (i Index) Candidates(owner metav1.Object) []*v1.Pod {
	return append(i.Owned(owner.GetUID()), i.list(orphans(owner.GetNamespace()))...)
}

func (i Index) list(key string) []*v1.Pod {
	objects, err := i.indexer.ByIndex(byOwner, key)
	if err != nil {
		objects = i.indexer.List()
	}
	pods := make([]*v1.Pod, 0, len(objects))
	for _, obj := range objects {
		if keys, _ := owner(obj); slices.Contains(keys, key) {
			pods = append(pods, obj.(*v1.Pod))
		}
	}
	return pods
}
