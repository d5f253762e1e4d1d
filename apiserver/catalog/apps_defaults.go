package catalog

import (
	"maps"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Source: k8s.io/kubernetes/pkg/apis/apps/v1/defaults.go.

func defaultDeployment(d *appsv1.Deployment) {
	setDefault(&d.Spec.Replicas, 1)
	if d.Spec.Strategy.Type == "" {
		d.Spec.Strategy.Type = appsv1.RollingUpdateDeploymentStrategyType
	}
	if d.Spec.Strategy.Type == appsv1.RollingUpdateDeploymentStrategyType {
		setDefault(&d.Spec.Strategy.RollingUpdate, appsv1.RollingUpdateDeployment{})
		setDefault(&d.Spec.Strategy.RollingUpdate.MaxUnavailable, intstr.FromString("25%"))
		setDefault(&d.Spec.Strategy.RollingUpdate.MaxSurge, intstr.FromString("25%"))
	} else if r := d.Spec.Strategy.RollingUpdate; r != nil {
		neverMissing(&r.MaxUnavailable, &r.MaxSurge)
	}
	setDefault(&d.Spec.RevisionHistoryLimit, 10)
	setDefault(&d.Spec.ProgressDeadlineSeconds, 600)
	defaultTemplate(&d.Spec.Template)
}

// neverMissing: in upstream's internal form these are no pointers, and so they become zero where they have no other default.
func neverMissing(fields ...**intstr.IntOrString) {
	for _, f := range fields {
		setDefault(f, intstr.FromInt32(0))
	}
}

func defaultReplicaSet(r *appsv1.ReplicaSet) {
	setDefault(&r.Spec.Replicas, 1)
	defaultTemplate(&r.Spec.Template)
}

func defaultDaemonSet(d *appsv1.DaemonSet) {
	u := &d.Spec.UpdateStrategy
	if u.Type == "" {
		u.Type = appsv1.RollingUpdateDaemonSetStrategyType
	}
	if u.Type == appsv1.RollingUpdateDaemonSetStrategyType {
		setDefault(&u.RollingUpdate, appsv1.RollingUpdateDaemonSet{})
		setDefault(&u.RollingUpdate.MaxUnavailable, intstr.FromInt32(1))
		setDefault(&u.RollingUpdate.MaxSurge, intstr.FromInt32(0))
	} else if r := u.RollingUpdate; r != nil {
		neverMissing(&r.MaxUnavailable, &r.MaxSurge)
	}
	setDefault(&d.Spec.RevisionHistoryLimit, 10)
	defaultTemplate(&d.Spec.Template)
	defaultTemplateGeneration(d)
}

func defaultStatefulSet(s *appsv1.StatefulSet) {
	if s.Spec.PodManagementPolicy == "" {
		s.Spec.PodManagementPolicy = appsv1.OrderedReadyPodManagement
	}
	u := &s.Spec.UpdateStrategy
	if u.Type == "" {
		u.Type = appsv1.RollingUpdateStatefulSetStrategyType
		setDefault(&u.RollingUpdate, appsv1.RollingUpdateStatefulSetStrategy{})
	}
	if u.RollingUpdate != nil { // as neverMissing
		setDefault(&u.RollingUpdate.Partition, 0)
	}
	if u.Type == appsv1.RollingUpdateStatefulSetStrategyType && u.RollingUpdate != nil {
		setDefault(&u.RollingUpdate.MaxUnavailable, intstr.FromInt32(1))
	}
	setDefault(&s.Spec.PersistentVolumeClaimRetentionPolicy, appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{})
	retention := s.Spec.PersistentVolumeClaimRetentionPolicy
	if retention.WhenDeleted == "" {
		retention.WhenDeleted = appsv1.RetainPersistentVolumeClaimRetentionPolicyType
	}
	if retention.WhenScaled == "" {
		retention.WhenScaled = appsv1.RetainPersistentVolumeClaimRetentionPolicyType
	}
	setDefault(&s.Spec.Replicas, 1)
	setDefault(&s.Spec.RevisionHistoryLimit, 10)
	defaultTemplate(&s.Spec.Template)
	for i := range s.Spec.VolumeClaimTemplates {
		claim := &s.Spec.VolumeClaimTemplates[i]
		claim.APIVersion, claim.Kind = "v1", "PersistentVolumeClaim"
		defaultClaim(claim)
	}
}

// The number of a DaemonSet's template lives in an annotation since apps/v1 has no field for it.

func templateGeneration(d *appsv1.DaemonSet) int64 {
	n, err := strconv.ParseInt(d.Annotations[appsv1.DeprecatedTemplateGeneration], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func setTemplateGeneration(d *appsv1.DaemonSet, n int64) {
	d.Annotations = maps.Clone(d.Annotations)
	if d.Annotations == nil {
		d.Annotations = map[string]string{}
	}
	d.Annotations[appsv1.DeprecatedTemplateGeneration] = strconv.FormatInt(n, 10)
}

// defaultTemplateGeneration says 0 where nothing is said: whoever writes the object owns that.
func defaultTemplateGeneration(d *appsv1.DaemonSet) {
	if d.Annotations[appsv1.DeprecatedTemplateGeneration] == "" {
		setTemplateGeneration(d, 0)
	}
}

func prepareNewDaemonSet(d *appsv1.DaemonSet) {
	d.Status = appsv1.DaemonSetStatus{}
	setTemplateGeneration(d, max(1, templateGeneration(d)))
}

func keepTemplateGeneration(d, old *appsv1.DaemonSet) {
	setTemplateGeneration(d, templateGeneration(old))
}

func prepareDaemonSet(d, old *appsv1.DaemonSet) {
	n := templateGeneration(old)
	if !equality.Semantic.DeepEqual(d.Spec.Template, old.Spec.Template) {
		n++
	}
	setTemplateGeneration(d, n)
}
