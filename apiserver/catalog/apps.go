package catalog

import (
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func appsKinds() []*Kind {
	gv := appsv1.SchemeGroupVersion
	return []*Kind{
		row[appsv1.ControllerRevision, appsv1.ControllerRevisionList](gv, Kind{
			Resource:   "controllerrevisions",
			Namespaced: true,
			Strategy: Strategy{
				Validate:   check(validateControllerRevision),
				Revalidate: checkChange(validateControllerRevisionChange),
			},
			Table: controllerRevisionTable(),
		}),
		row[appsv1.DaemonSet, appsv1.DaemonSetList](gv, Kind{
			Resource: "daemonsets",
			Derived:  []string{appsv1.DeprecatedTemplateGeneration},
			Blank: on(func(d *appsv1.DaemonSet) {
				metav1.SetMetaDataAnnotation(&d.ObjectMeta, appsv1.DeprecatedTemplateGeneration, "0")
			}),
			ShortNames:   []string{"ds"},
			Categories:   inAll(),
			Namespaced:   true,
			Subresources: onlyStatus(),
			Strategy: Strategy{
				Default:                on(defaultDaemonSet),
				PrepareForCreate:       on(prepareNewDaemonSet),
				PrepareForUpdate:       onChange(prepareDaemonSet),
				Validate:               check(validateDaemonSet),
				Revalidate:             checkChange(validateDaemonSetChange),
				ValidateStatusUpdate:   checkChange(validateDaemonSetStatus),
				PrepareForStatusUpdate: onChange(keepTemplateGeneration),
				Warnings:               warnings(daemonSetWarnings),
				Generation:             true,
			},
			Table: daemonSetTable(),
		}),
		row[appsv1.Deployment, appsv1.DeploymentList](gv, Kind{
			Resource:     "deployments",
			Blank:        on(func(o *appsv1.Deployment) { o.Spec.Replicas = new(int32(0)) }),
			ShortNames:   []string{"deploy"},
			Categories:   inAll(),
			Namespaced:   true,
			Subresources: []Subresource{scale(), {Name: "status"}},
			Strategy: Strategy{
				Default:                on(defaultDeployment),
				PrepareForCreate:       on(func(d *appsv1.Deployment) { d.Status = appsv1.DeploymentStatus{} }),
				PrepareForStatusUpdate: onChange(func(d, old *appsv1.Deployment) { d.Labels = old.DeepCopy().Labels }),
				StatusKeeps:            [][]string{{"metadata", "labels"}},
				Validate:               check(validateDeployment),
				ValidateUpdate:         checkChange(validateDeploymentChange),
				ValidateStatusUpdate:   checkChange(validateDeploymentStatus),
				Warnings:               warnings(deploymentWarnings),
				Generation:             true,
				CountsAnnotations:      true,
			},
			Table: deploymentTable(),
		}),
		row[appsv1.ReplicaSet, appsv1.ReplicaSetList](gv, Kind{
			Resource:     "replicasets",
			Blank:        on(func(o *appsv1.ReplicaSet) { o.Spec.Replicas = new(int32(0)) }),
			ShortNames:   []string{"rs"},
			Categories:   inAll(),
			Namespaced:   true,
			Subresources: []Subresource{scale(), {Name: "status"}},
			Strategy: Strategy{
				Default:              on(defaultReplicaSet),
				PrepareForCreate:     on(func(r *appsv1.ReplicaSet) { r.Status = appsv1.ReplicaSetStatus{} }),
				Validate:             check(validateReplicaSet),
				ValidateUpdate:       checkChange(validateReplicaSetChange),
				ValidateStatusUpdate: checkChange(validateReplicaSetStatus),
				Warnings:             warnings(replicaSetWarnings),
				Generation:           true,
			},
			Table: replicaSetTable(),
		}),
		row[appsv1.StatefulSet, appsv1.StatefulSetList](gv, Kind{
			Resource:     "statefulsets",
			Blank:        on(func(o *appsv1.StatefulSet) { o.Spec.Replicas = new(int32(0)) }),
			ShortNames:   []string{"sts"},
			Categories:   inAll(),
			Namespaced:   true,
			Subresources: []Subresource{scale(), {Name: "status"}},
			Strategy: Strategy{
				Default:              on(defaultStatefulSet),
				PrepareForCreate:     on(func(s *appsv1.StatefulSet) { s.Status = appsv1.StatefulSetStatus{} }),
				Validate:             check(validateStatefulSet),
				Revalidate:           checkChange(validateStatefulSetChange),
				ValidateStatusUpdate: checkChange(validateStatefulSetStatus),
				ValidateName:         validation.NameIsDNSLabel,
				Warnings:             warnings(statefulSetWarnings),
				Generation:           true,
			},
			Table: statefulSetTable(),
		}),
	}
}

// scale is the subresource through which any kind with replicas is scaled.
func scale() Subresource {
	gvk := autoscalingv1.SchemeGroupVersion.WithKind("Scale")
	return Subresource{Name: "scale", Kind: gvk, New: maker[autoscalingv1.Scale](gvk)}
}
