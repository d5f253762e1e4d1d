package catalog

import (
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func controllerRevisionTable() Table {
	return table(func(r *appsv1.ControllerRevision, now time.Time) []any {
		controller := "<none>"
		if ref := metav1.GetControllerOf(r); ref != nil {
			gk := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).GroupKind()
			controller = strings.ToLower(gk.String()) + "/" + ref.Name
		}
		return []any{r.Name, controller, r.Revision, Age(r.CreationTimestamp, now)}
	},
		nameColumn(),
		column("Controller", "string", "Controller of the object"),
		column("Revision", "string", appsv1.ControllerRevision{}.SwaggerDoc()["revision"]),
		ageColumn(),
	)
}

func daemonSetTable() Table {
	doc := appsv1.DaemonSetStatus{}.SwaggerDoc()
	names, images := containersColumns()
	return table(func(d *appsv1.DaemonSet, now time.Time) []any {
		s := d.Status
		names, images := containersCells(d.Spec.Template.Spec.Containers)
		return []any{
			d.Name, count(s.DesiredNumberScheduled), count(s.CurrentNumberScheduled), count(s.NumberReady),
			count(s.UpdatedNumberScheduled), count(s.NumberAvailable),
			labels.FormatLabels(d.Spec.Template.Spec.NodeSelector), Age(d.CreationTimestamp, now),
			names, images, metav1.FormatLabelSelector(d.Spec.Selector),
		}
	},
		nameColumn(),
		column("Desired", "integer", doc["desiredNumberScheduled"]),
		column("Current", "integer", doc["currentNumberScheduled"]),
		column("Ready", "integer", doc["numberReady"]),
		column("Up-to-date", "integer", doc["updatedNumberScheduled"]),
		column("Available", "integer", doc["numberAvailable"]),
		column("Node Selector", "string", corev1.PodSpec{}.SwaggerDoc()["nodeSelector"]),
		ageColumn(),
		names, images,
		wide("Selector", "string", appsv1.DaemonSetSpec{}.SwaggerDoc()["selector"]),
	)
}

func deploymentTable() Table {
	doc := appsv1.DeploymentStatus{}.SwaggerDoc()
	names, images := containersColumns()
	return table(func(d *appsv1.Deployment, now time.Time) []any {
		names, images := containersCells(d.Spec.Template.Spec.Containers)
		selector := "<invalid>"
		if s, err := metav1.LabelSelectorAsSelector(d.Spec.Selector); err == nil {
			selector = s.String()
		}
		return []any{
			d.Name, fmt.Sprintf("%d/%d", d.Status.ReadyReplicas, value(d.Spec.Replicas)),
			count(d.Status.UpdatedReplicas), count(d.Status.AvailableReplicas), Age(d.CreationTimestamp, now),
			names, images, selector,
		}
	},
		nameColumn(),
		column("Ready", "string", "Number of the pod with ready state"),
		column("Up-to-date", "string", doc["updatedReplicas"]),
		column("Available", "string", doc["availableReplicas"]),
		ageColumn(),
		names, images,
		wide("Selector", "string", appsv1.DeploymentSpec{}.SwaggerDoc()["selector"]),
	)
}

func replicaSetTable() Table {
	doc := appsv1.ReplicaSetStatus{}.SwaggerDoc()
	names, images := containersColumns()
	return table(func(r *appsv1.ReplicaSet, now time.Time) []any {
		names, images := containersCells(r.Spec.Template.Spec.Containers)
		return []any{
			r.Name, count(value(r.Spec.Replicas)), count(r.Status.Replicas), count(r.Status.ReadyReplicas),
			Age(r.CreationTimestamp, now), names, images, metav1.FormatLabelSelector(r.Spec.Selector),
		}
	},
		nameColumn(),
		column("Desired", "integer", appsv1.ReplicaSetSpec{}.SwaggerDoc()["replicas"]),
		column("Current", "integer", doc["replicas"]),
		column("Ready", "integer", doc["readyReplicas"]),
		ageColumn(),
		names, images,
		wide("Selector", "string", appsv1.ReplicaSetSpec{}.SwaggerDoc()["selector"]),
	)
}

func statefulSetTable() Table {
	names, images := containersColumns()
	return table(func(s *appsv1.StatefulSet, now time.Time) []any {
		names, images := containersCells(s.Spec.Template.Spec.Containers)
		return []any{
			s.Name, fmt.Sprintf("%d/%d", s.Status.ReadyReplicas, value(s.Spec.Replicas)), Age(s.CreationTimestamp, now),
			names, images,
		}
	},
		nameColumn(),
		column("Ready", "string", "Number of the pod with ready state"),
		ageColumn(),
		names, images,
	)
}
