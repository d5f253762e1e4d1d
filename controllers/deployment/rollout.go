package deployment

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"

	"coracle/controllers/workload"
)

// rollout is one Deployment at one moment, with its ReplicaSets.
type rollout struct {
	*Controller
	d   *appsv1.Deployment   // to be changed
	new *appsv1.ReplicaSet   // the one with the Deployment's template; nil if there is none yet
	old []*appsv1.ReplicaSet // the others, the oldest first
}

func kind() schema.GroupVersionKind { return appsv1.SchemeGroupVersion.WithKind("Deployment") }

func byAge(a, b *appsv1.ReplicaSet) int {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
}

// sort tells the new set from the old ones. If several have the template, the oldest is it.
func (r *rollout) sort(sets []*appsv1.ReplicaSet) {
	for _, set := range sets {
		if r.new == nil && sameTemplate(&set.Spec.Template, &r.d.Spec.Template) {
			r.new = set
		} else {
			r.old = append(r.old, set)
		}
	}
}

// sameTemplate compares templates but for the hash, which ReplicaSets have and Deployments have not.
func sameTemplate(a, b *v1.PodTemplateSpec) bool {
	a, b = a.DeepCopy(), b.DeepCopy()
	delete(a.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	delete(b.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	return equality.Semantic.DeepEqual(a, b)
}

// all are the sets that exist, the new one last.
func (r *rollout) all() []*appsv1.ReplicaSet {
	if r.new == nil {
		return slices.Clone(r.old)
	}
	return append(slices.Clone(r.old), r.new)
}

// active are those of sets that want pods.
func active(sets []*appsv1.ReplicaSet) []*appsv1.ReplicaSet {
	return slices.DeleteFunc(slices.Clone(sets), func(s *appsv1.ReplicaSet) bool { return *s.Spec.Replicas == 0 })
}

func sum(sets []*appsv1.ReplicaSet, of func(*appsv1.ReplicaSet) int32) (n int32) {
	for _, s := range sets {
		n += of(s)
	}
	return n
}

func desired(s *appsv1.ReplicaSet) int32   { return *s.Spec.Replicas }
func actual(s *appsv1.ReplicaSet) int32    { return s.Status.Replicas }
func ready(s *appsv1.ReplicaSet) int32     { return s.Status.ReadyReplicas }
func available(s *appsv1.ReplicaSet) int32 { return s.Status.AvailableReplicas }

// syncNew brings the new set's annotations up to date and notes its revision on the Deployment; if there is no such set
// and create says so, it makes one.
func (r *rollout) syncNew(ctx context.Context, create bool) error {
	next := newestRevision(r.old) + 1
	if r.new == nil {
		if !create {
			return nil
		}
		return r.createNew(ctx, next)
	}
	set := r.new.DeepCopy()
	changed := annotate(r.d, set, next)
	if changed || set.Spec.MinReadySeconds != r.d.Spec.MinReadySeconds {
		set.Spec.MinReadySeconds = r.d.Spec.MinReadySeconds
		updated, err := r.client.AppsV1().ReplicaSets(set.Namespace).Update(ctx, set, metav1.UpdateOptions{})
		if err != nil {
			return err
		}
		r.new = updated
		return nil
	}
	changed = setRevision(r.d, set.Annotations[revisionAnnotation])
	if hasDeadline(r.d) && condition(&r.d.Status, appsv1.DeploymentProgressing) == nil {
		setCondition(&r.d.Status, progressing(v1.ConditionTrue, "FoundNewReplicaSet", fmt.Sprintf("Found new replica set %q", set.Name)))
		changed = true
	}
	if !changed {
		return nil
	}
	return r.updateStatus(ctx)
}

// createNew makes the set for the Deployment's template, with as many replicas as there may be at once.
func (r *rollout) createNew(ctx context.Context, revision int64) error {
	d := r.d
	hash := workload.Hash(&d.Spec.Template, d.Status.CollisionCount)
	template := *d.Spec.Template.DeepCopy()
	template.Labels = with(template.Labels, appsv1.DefaultDeploymentUniqueLabelKey, hash)
	selector := d.Spec.Selector.DeepCopy()
	selector.MatchLabels = with(selector.MatchLabels, appsv1.DefaultDeploymentUniqueLabelKey, hash)
	prefix := d.Name[:min(len(d.Name), validation.DNS1123SubdomainMaxLength-len("-")-len(hash))]
	set := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       d.Namespace,
			Name:            prefix + "-" + hash, // the same again after a crash
			Labels:          template.Labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(d, kind())},
		},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: new(int32), MinReadySeconds: d.Spec.MinReadySeconds, Selector: selector, Template: template,
		},
	}
	*set.Spec.Replicas = r.newReplicas(set)
	annotate(d, set, revision)
	annotateReplicas(d, set)

	created, err := r.client.AppsV1().ReplicaSets(d.Namespace).Create(ctx, set, metav1.CreateOptions{})
	switch {
	case apierrors.IsAlreadyExists(err):
		return r.collide(ctx, set.Name, err)
	case apierrors.HasStatusCause(err, v1.NamespaceTerminatingCause):
		return nil
	case err != nil:
		message := fmt.Sprintf("Failed to create new replica set %q: %v", set.Name, err)
		r.events.Warning(d, "ReplicaSetCreateError", "%s", message)
		if hasDeadline(d) {
			setCondition(&d.Status, progressing(v1.ConditionFalse, "ReplicaSetCreateError", message))
			_ = r.updateStatus(ctx) // the other error is the one to tell
		}
		return err
	}
	r.new = created
	if n := *set.Spec.Replicas; n > 0 {
		r.events.Normal(d, "ScalingReplicaSet", "Scaled up replica set %s from 0 to %d", created.Name, n)
	}
	setRevision(d, strconv.FormatInt(revision, 10))
	if hasDeadline(d) {
		setCondition(&d.Status, progressing(v1.ConditionTrue, "NewReplicaSetCreated", fmt.Sprintf("Created new replica set %q", created.Name)))
	}
	return r.updateStatus(ctx)
}

// collide finds out why a set of that name exists: either the cache is late, or another template has the same hash.
func (r *rollout) collide(ctx context.Context, name string, conflict error) error {
	set, err := r.client.AppsV1().ReplicaSets(r.d.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if metav1.IsControlledBy(set, r.d) && sameTemplate(&set.Spec.Template, &r.d.Spec.Template) {
		r.new = set
		return nil
	}
	count := int32(1)
	if r.d.Status.CollisionCount != nil {
		count += *r.d.Status.CollisionCount
	}
	r.d.Status.CollisionCount = &count
	if err := r.updateStatus(ctx); err != nil {
		return err
	}
	return conflict // to come again, with the other hash
}

func with(labels map[string]string, key, value string) map[string]string {
	labels = maps.Clone(labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[key] = value
	return labels
}

// updateStatus writes the Deployment's status and annotations.
func (r *rollout) updateStatus(ctx context.Context) error {
	updated, err := r.client.AppsV1().Deployments(r.d.Namespace).UpdateStatus(ctx, r.d, metav1.UpdateOptions{})
	if err != nil {
		return err
	}
	r.d = updated
	return nil
}
