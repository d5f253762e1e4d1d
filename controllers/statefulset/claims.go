package statefulset

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func claimName(set *appsv1.StatefulSet, template *v1.PersistentVolumeClaim, ordinal int) string {
	return fmt.Sprintf("%s-%s-%d", template.Name, set.Name, ordinal)
}

// useClaims makes a pod's volumes those of its ordinal.
func useClaims(set *appsv1.StatefulSet, pod *v1.Pod, ordinal int) {
	var volumes []v1.Volume
	for i := range set.Spec.VolumeClaimTemplates {
		t := &set.Spec.VolumeClaimTemplates[i]
		volumes = append(volumes, v1.Volume{Name: t.Name, VolumeSource: v1.VolumeSource{
			PersistentVolumeClaim: &v1.PersistentVolumeClaimVolumeSource{ClaimName: claimName(set, t, ordinal)},
		}})
	}
	for _, v := range pod.Spec.Volumes {
		if !slices.ContainsFunc(volumes, func(own v1.Volume) bool { return own.Name == v.Name }) {
			volumes = append(volumes, v)
		}
	}
	pod.Spec.Volumes = volumes
}

// makeClaims makes the claims of a pod that do not exist. They outlive it.
func (s *step) makeClaims(ctx context.Context, pod *v1.Pod) error {
	ordinal, ok := ordinalOf(s.set, pod)
	if !ok {
		return nil
	}
	var errs []error
	for i := range s.set.Spec.VolumeClaimTemplates {
		claim := s.set.Spec.VolumeClaimTemplates[i].DeepCopy()
		claim.Namespace, claim.Name = s.set.Namespace, claimName(s.set, claim, ordinal)
		have, err := s.claims.PersistentVolumeClaims(claim.Namespace).Get(claim.Name)
		if err == nil {
			if have.DeletionTimestamp != nil {
				errs = append(errs, fmt.Errorf("pvc %s is being deleted", claim.Name))
			}
			continue
		}
		if claim.Labels == nil {
			claim.Labels = map[string]string{}
		}
		maps.Copy(claim.Labels, s.set.Spec.Selector.MatchLabels)
		claim.OwnerReferences = s.claimOwners(claim.OwnerReferences, pod, false)
		_, err = s.client.CoreV1().PersistentVolumeClaims(claim.Namespace).Create(ctx, claim, metav1.CreateOptions{})
		switch {
		case apierrors.IsAlreadyExists(err): // the cache is late
		case err != nil:
			s.events.Warning(s.set, "FailedCreate", "Create Claim %s for Pod %s in StatefulSet %s failed error: %s", claim.Name, pod.Name, s.set.Name, err)
			errs = append(errs, fmt.Errorf("failed to create PVC %s: %w", claim.Name, err))
		default:
			s.events.Normal(s.set, "SuccessfulCreate", "Create Claim %s Pod %s in StatefulSet %s success", claim.Name, pod.Name, s.set.Name)
		}
	}
	return errors.Join(errs...)
}

// ownClaims makes a pod's claims go with the set or with the pod, as the retention policy says.
func (s *step) ownClaims(ctx context.Context, pod *v1.Pod, condemned bool) error {
	ordinal, ok := ordinalOf(s.set, pod)
	if !ok {
		return nil
	}
	for i := range s.set.Spec.VolumeClaimTemplates {
		name := claimName(s.set, &s.set.Spec.VolumeClaimTemplates[i], ordinal)
		claim, err := s.claims.PersistentVolumeClaims(s.set.Namespace).Get(name)
		if err != nil {
			continue // it is on its way, or gone
		}
		owners := s.claimOwners(claim.OwnerReferences, pod, condemned)
		if slices.EqualFunc(owners, claim.OwnerReferences, func(a, b metav1.OwnerReference) bool { return a.UID == b.UID }) {
			continue
		}
		claim = claim.DeepCopy()
		claim.OwnerReferences = owners
		_, err = s.client.CoreV1().PersistentVolumeClaims(claim.Namespace).Update(ctx, claim, metav1.UpdateOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("could not update claim %s for delete policy ownerRefs: %w", name, err)
		}
	}
	return nil
}

// claimOwners are a claim's owners as they should be. Of one that has another controller nothing is changed.
func (s *step) claimOwners(have []metav1.OwnerReference, pod *v1.Pod, condemned bool) []metav1.OwnerReference {
	isOurs := func(ref metav1.OwnerReference) bool {
		return ref.UID == s.set.UID || pod.UID != "" && ref.UID == pod.UID
	}
	others := slices.DeleteFunc(slices.Clone(have), isOurs)
	if slices.ContainsFunc(others, func(ref metav1.OwnerReference) bool { return ref.Controller != nil && *ref.Controller }) {
		return have
	}
	policy := s.set.Spec.PersistentVolumeClaimRetentionPolicy
	if policy == nil {
		return others
	}
	scaled, deleted := policy.WhenScaled == appsv1.DeletePersistentVolumeClaimRetentionPolicyType, policy.WhenDeleted == appsv1.DeletePersistentVolumeClaimRetentionPolicyType
	switch {
	case scaled && condemned && pod.UID != "":
		return append(others, *metav1.NewControllerRef(pod, v1.SchemeGroupVersion.WithKind("Pod")))
	case deleted && !(scaled && condemned):
		return append(others, *metav1.NewControllerRef(s.set, kind()))
	}
	return others
}
