package catalog

import (
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
)

func appsKinds() []*Kind {
	gv := appsv1.SchemeGroupVersion
	return []*Kind{
		row[appsv1.ControllerRevision, appsv1.ControllerRevisionList](gv, Kind{
			Resource:   "controllerrevisions",
			Namespaced: true,
		}),
		row[appsv1.DaemonSet, appsv1.DaemonSetList](gv, Kind{
			Resource:     "daemonsets",
			ShortNames:   []string{"ds"},
			Categories:   inAll(),
			Namespaced:   true,
			Subresources: onlyStatus(),
		}),
		row[appsv1.Deployment, appsv1.DeploymentList](gv, Kind{
			Resource:     "deployments",
			ShortNames:   []string{"deploy"},
			Categories:   inAll(),
			Namespaced:   true,
			Subresources: []Subresource{scale(), {Name: "status"}},
		}),
		row[appsv1.ReplicaSet, appsv1.ReplicaSetList](gv, Kind{
			Resource:     "replicasets",
			ShortNames:   []string{"rs"},
			Categories:   inAll(),
			Namespaced:   true,
			Subresources: []Subresource{scale(), {Name: "status"}},
		}),
		row[appsv1.StatefulSet, appsv1.StatefulSetList](gv, Kind{
			Resource:     "statefulsets",
			ShortNames:   []string{"sts"},
			Categories:   inAll(),
			Namespaced:   true,
			Subresources: []Subresource{scale(), {Name: "status"}},
		}),
	}
}

// scale is the subresource through which any kind with replicas is scaled.
func scale() Subresource {
	gvk := autoscalingv1.SchemeGroupVersion.WithKind("Scale")
	return Subresource{Name: "scale", Kind: gvk, New: maker[autoscalingv1.Scale](gvk)}
}
