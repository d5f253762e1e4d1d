package replicaset

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	appslisters "k8s.io/client-go/listers/apps/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
)

// kind is what differs between ReplicaSets and ReplicationControllers.
type kind interface {
	gvk() schema.GroupVersionKind
	informer() cache.SharedIndexInformer
	get(name cache.ObjectName) (*appsv1.ReplicaSet, error)
	list(namespace string) ([]*appsv1.ReplicaSet, error)
	// fresh reads from the API server instead of the cache.
	fresh(ctx context.Context, name cache.ObjectName) (metav1.Object, error)
	updateStatus(ctx context.Context, set *appsv1.ReplicaSet) error
	// countsTerminating tells whether the status has a place for the pods that are about to end.
	countsTerminating() bool
}

type replicaSets struct {
	client kubernetes.Interface
	lister appslisters.ReplicaSetLister
	shared cache.SharedIndexInformer
}

func newReplicaSets(client kubernetes.Interface, factory informers.SharedInformerFactory) replicaSets {
	sets := factory.Apps().V1().ReplicaSets()
	return replicaSets{client: client, lister: sets.Lister(), shared: sets.Informer()}
}

func (k replicaSets) gvk() schema.GroupVersionKind {
	return appsv1.SchemeGroupVersion.WithKind("ReplicaSet")
}

func (k replicaSets) countsTerminating() bool { return true }

func (k replicaSets) informer() cache.SharedIndexInformer { return k.shared }

func (k replicaSets) get(name cache.ObjectName) (*appsv1.ReplicaSet, error) {
	return k.lister.ReplicaSets(name.Namespace).Get(name.Name)
}

func (k replicaSets) list(namespace string) ([]*appsv1.ReplicaSet, error) {
	return k.lister.ReplicaSets(namespace).List(labels.Everything())
}

func (k replicaSets) fresh(ctx context.Context, name cache.ObjectName) (metav1.Object, error) {
	return k.client.AppsV1().ReplicaSets(name.Namespace).Get(ctx, name.Name, metav1.GetOptions{})
}

func (k replicaSets) updateStatus(ctx context.Context, set *appsv1.ReplicaSet) error {
	_, err := k.client.AppsV1().ReplicaSets(set.Namespace).UpdateStatus(ctx, set, metav1.UpdateOptions{})
	return err
}

type replicationControllers struct {
	client kubernetes.Interface
	lister corelisters.ReplicationControllerLister
	shared cache.SharedIndexInformer
}

func newReplicationControllers(client kubernetes.Interface, factory informers.SharedInformerFactory) replicationControllers {
	controllers := factory.Core().V1().ReplicationControllers()
	return replicationControllers{client: client, lister: controllers.Lister(), shared: controllers.Informer()}
}

func (k replicationControllers) gvk() schema.GroupVersionKind {
	return v1.SchemeGroupVersion.WithKind("ReplicationController")
}

func (k replicationControllers) countsTerminating() bool { return false }

func (k replicationControllers) informer() cache.SharedIndexInformer { return k.shared }

func (k replicationControllers) get(name cache.ObjectName) (*appsv1.ReplicaSet, error) {
	controller, err := k.lister.ReplicationControllers(name.Namespace).Get(name.Name)
	if err != nil {
		return nil, err
	}
	return k.asReplicaSet(controller), nil
}

func (k replicationControllers) list(namespace string) ([]*appsv1.ReplicaSet, error) {
	controllers, err := k.lister.ReplicationControllers(namespace).List(labels.Everything())
	sets := make([]*appsv1.ReplicaSet, len(controllers))
	for i, c := range controllers {
		sets[i] = k.asReplicaSet(c)
	}
	return sets, err
}

func (k replicationControllers) fresh(ctx context.Context, name cache.ObjectName) (metav1.Object, error) {
	return k.client.CoreV1().ReplicationControllers(name.Namespace).Get(ctx, name.Name, metav1.GetOptions{})
}

func (k replicationControllers) updateStatus(ctx context.Context, set *appsv1.ReplicaSet) error {
	controller := &v1.ReplicationController{
		ObjectMeta: set.ObjectMeta,
		Status: v1.ReplicationControllerStatus{
			Replicas:             set.Status.Replicas,
			FullyLabeledReplicas: set.Status.FullyLabeledReplicas,
			ReadyReplicas:        set.Status.ReadyReplicas,
			AvailableReplicas:    set.Status.AvailableReplicas,
			ObservedGeneration:   set.Status.ObservedGeneration,
		},
	}
	for _, c := range set.Status.Conditions {
		controller.Status.Conditions = append(controller.Status.Conditions, v1.ReplicationControllerCondition{
			Type: v1.ReplicationControllerConditionType(c.Type), Status: c.Status,
			LastTransitionTime: c.LastTransitionTime, Reason: c.Reason, Message: c.Message,
		})
	}
	_, err := k.client.CoreV1().ReplicationControllers(set.Namespace).UpdateStatus(ctx, controller, metav1.UpdateOptions{})
	return err
}

// asReplicaSet says the same in the words of a ReplicaSet. It keeps its kind, for the Events about it.
func (k replicationControllers) asReplicaSet(controller *v1.ReplicationController) *appsv1.ReplicaSet {
	set := &appsv1.ReplicaSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: k.gvk().GroupVersion().String(), Kind: k.gvk().Kind},
		ObjectMeta: controller.ObjectMeta,
		Spec: appsv1.ReplicaSetSpec{
			Replicas:        controller.Spec.Replicas,
			MinReadySeconds: controller.Spec.MinReadySeconds,
			Selector:        &metav1.LabelSelector{MatchLabels: controller.Spec.Selector},
		},
		Status: appsv1.ReplicaSetStatus{
			Replicas:             controller.Status.Replicas,
			FullyLabeledReplicas: controller.Status.FullyLabeledReplicas,
			ReadyReplicas:        controller.Status.ReadyReplicas,
			AvailableReplicas:    controller.Status.AvailableReplicas,
			ObservedGeneration:   controller.Status.ObservedGeneration,
		},
	}
	if controller.Spec.Template != nil {
		set.Spec.Template = *controller.Spec.Template
	}
	for _, c := range controller.Status.Conditions {
		set.Status.Conditions = append(set.Status.Conditions, appsv1.ReplicaSetCondition{
			Type: appsv1.ReplicaSetConditionType(c.Type), Status: c.Status,
			LastTransitionTime: c.LastTransitionTime, Reason: c.Reason, Message: c.Message,
		})
	}
	return set
}
