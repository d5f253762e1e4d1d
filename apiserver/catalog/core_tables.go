package catalog

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
)

func nameAndAge() []metav1.TableColumnDefinition {
	return []metav1.TableColumnDefinition{nameColumn(), ageColumn()}
}

func nameAndAgeCells(obj runtime.Object, now time.Time) []any {
	m := obj.(metav1.Object)
	return []any{m.GetName(), Age(m.GetCreationTimestamp(), now)}
}

func configMapTable() Table {
	return table(func(c *corev1.ConfigMap, now time.Time) []any {
		return []any{c.Name, count(len(c.Data) + len(c.BinaryData)), Age(c.CreationTimestamp, now)}
	}, nameColumn(), column("Data", "string", corev1.ConfigMap{}.SwaggerDoc()["data"]), ageColumn())
}

func secretTable() Table {
	docs := corev1.Secret{}.SwaggerDoc()
	return table(func(s *corev1.Secret, now time.Time) []any {
		return []any{s.Name, string(s.Type), count(len(s.Data)), Age(s.CreationTimestamp, now)}
	}, nameColumn(), column("Type", "string", docs["type"]), column("Data", "string", docs["data"]), ageColumn())
}

func namespaceTable() Table {
	return table(func(n *corev1.Namespace, now time.Time) []any {
		return []any{n.Name, string(n.Status.Phase), Age(n.CreationTimestamp, now)}
	}, nameColumn(), column("Status", "string", "The status of the namespace"), ageColumn())
}

func nodeTable() Table {
	status, info := corev1.NodeStatus{}.SwaggerDoc(), corev1.NodeSystemInfo{}.SwaggerDoc()
	return table(nodeCells,
		nameColumn(),
		column("Status", "string", "The status of the node"),
		column("Roles", "string", "The roles of the node"),
		ageColumn(),
		column("Version", "string", info["kubeletVersion"]),
		wide("Internal-IP", "string", status["addresses"]),
		wide("External-IP", "string", status["addresses"]),
		wide("OS-Image", "string", info["osImage"]),
		wide("Kernel-Version", "string", info["kernelVersion"]),
		wide("Container-Runtime", "string", info["containerRuntimeVersion"]),
	)
}

func nodeCells(n *corev1.Node, now time.Time) []any {
	status := "Unknown"
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			status = "NotReady"
			if c.Status == corev1.ConditionTrue {
				status = "Ready"
			}
		}
	}
	if n.Spec.Unschedulable {
		status += ",SchedulingDisabled"
	}
	var roles []string
	for k, v := range n.Labels {
		if role, ok := strings.CutPrefix(k, "node-role.kubernetes.io/"); ok && role != "" {
			roles = append(roles, role)
		} else if k == "kubernetes.io/role" && v != "" {
			roles = append(roles, v)
		}
	}
	slices.Sort(roles)
	address := func(t corev1.NodeAddressType) string {
		for _, a := range n.Status.Addresses {
			if a.Type == t {
				return a.Address
			}
		}
		return "<none>"
	}
	info := n.Status.NodeInfo
	known := func(s string) string {
		if s == "" {
			return "<unknown>"
		}
		return s
	}
	kernel := known(info.KernelVersion)
	if info.Architecture != "" {
		kernel += " (" + info.Architecture + ")"
	}
	return []any{
		n.Name, status, orNone(strings.Join(slices.Compact(roles), ",")), Age(n.CreationTimestamp, now), info.KubeletVersion,
		address(corev1.NodeInternalIP), address(corev1.NodeExternalIP), known(info.OSImage), kernel, known(info.ContainerRuntimeVersion),
	}
}

func serviceTable() Table {
	docs := corev1.ServiceSpec{}.SwaggerDoc()
	return table(func(s *corev1.Service, now time.Time) []any {
		ip := "<none>"
		if len(s.Spec.ClusterIPs) > 0 {
			ip = s.Spec.ClusterIPs[0]
		}
		return []any{
			s.Name, string(s.Spec.Type), ip, externalIP(s), orNone(servicePorts(s.Spec.Ports)),
			Age(s.CreationTimestamp, now), labels.FormatLabels(s.Spec.Selector),
		}
	},
		nameColumn(),
		column("Type", "string", docs["type"]),
		column("Cluster-IP", "string", docs["clusterIP"]),
		column("External-IP", "string", docs["externalIPs"]),
		column("Port(s)", "string", docs["ports"]),
		ageColumn(),
		wide("Selector", "string", docs["selector"]),
	)
}

func externalIP(s *corev1.Service) string {
	external := strings.Join(s.Spec.ExternalIPs, ",")
	switch s.Spec.Type {
	case corev1.ServiceTypeExternalName:
		return s.Spec.ExternalName
	case corev1.ServiceTypeLoadBalancer:
		var ips []string
		for _, i := range s.Status.LoadBalancer.Ingress {
			if i.IP != "" {
				ips = append(ips, i.IP)
			} else if i.Hostname != "" {
				ips = append(ips, i.Hostname)
			}
		}
		ips = append(ips, s.Spec.ExternalIPs...)
		if len(ips) == 0 {
			return "<pending>"
		}
		return strings.Join(ips, ",")
	case corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort:
		return orNone(external)
	}
	return "<unknown>"
}

func servicePorts(ports []corev1.ServicePort) string {
	out := make([]string, len(ports))
	for i, p := range ports {
		out[i] = fmt.Sprintf("%d/%s", p.Port, p.Protocol)
		if p.NodePort > 0 {
			out[i] = fmt.Sprintf("%d:%d/%s", p.Port, p.NodePort, p.Protocol)
		}
	}
	return strings.Join(out, ",")
}

func endpointsTable() Table {
	return table(func(e *corev1.Endpoints, now time.Time) []any {
		return []any{e.Name, endpoints(e), Age(e.CreationTimestamp, now)}
	}, nameColumn(), column("Endpoints", "string", corev1.Endpoints{}.SwaggerDoc()["subsets"]), ageColumn())
}

func endpoints(e *corev1.Endpoints) string {
	const shown = 3
	var all []string
	for _, s := range e.Subsets {
		for _, a := range s.Addresses {
			if len(s.Ports) == 0 {
				all = append(all, a.IP)
			}
			for _, p := range s.Ports {
				all = append(all, fmt.Sprintf("%s:%d", a.IP, p.Port))
			}
		}
	}
	if len(all) > shown {
		return fmt.Sprintf("%s + %d more...", strings.Join(all[:shown], ","), len(all)-shown)
	}
	return orNone(strings.Join(all, ","))
}

func eventTable() Table {
	docs := corev1.Event{}.SwaggerDoc()
	name := wide("Name", "string", metav1.ObjectMeta{}.SwaggerDoc()["name"])
	name.Format = "name"
	return table(eventCells,
		column("Last Seen", "string", docs["lastTimestamp"]),
		column("Type", "string", docs["type"]),
		column("Reason", "string", docs["reason"]),
		column("Object", "string", docs["involvedObject"]),
		wide("Subobject", "string", corev1.ObjectReference{}.SwaggerDoc()["fieldPath"]),
		wide("Source", "string", docs["source"]),
		column("Message", "string", docs["message"]),
		wide("First Seen", "string", docs["firstTimestamp"]),
		wide("Count", "string", docs["count"]),
		name,
	)
}

func eventCells(e *corev1.Event, now time.Time) []any {
	micro := func(t metav1.MicroTime) string {
		if t.IsZero() {
			return "<unknown>"
		}
		return duration.HumanDuration(now.Sub(t.Time))
	}
	first := Age(e.FirstTimestamp, now)
	if e.FirstTimestamp.IsZero() {
		first = micro(e.EventTime)
	}
	last := Age(e.LastTimestamp, now)
	if e.LastTimestamp.IsZero() {
		last = first
	}
	times := e.Count
	switch {
	case e.Series != nil:
		last, times = micro(e.Series.LastObservedTime), e.Series.Count
	case times == 0:
		times = 1
	}
	object := strings.ToLower(e.InvolvedObject.Kind)
	if e.InvolvedObject.Name != "" {
		object += "/" + e.InvolvedObject.Name
	}
	return []any{
		last, e.Type, e.Reason, object, e.InvolvedObject.FieldPath, eventSource(e),
		strings.TrimSpace(e.Message), first, count(times), e.Name,
	}
}

func eventSource(e *corev1.Event) string {
	component, host := e.Source.Component, e.Source.Host
	if component == "" {
		component = e.ReportingController
	}
	if host == "" {
		host = e.ReportingInstance
	}
	if host == "" {
		return component
	}
	return component + ", " + host
}

func eventFieldNames() []string {
	return []string{
		"involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
		"involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath",
		"reason", "reportingComponent", "source", "type",
	}
}

func eventFields(e *corev1.Event) fields.Set {
	source := e.Source.Component
	if source == "" {
		source = e.ReportingController
	}
	o := e.InvolvedObject
	return fields.Set{
		"involvedObject.kind": o.Kind, "involvedObject.namespace": o.Namespace, "involvedObject.name": o.Name,
		"involvedObject.uid": string(o.UID), "involvedObject.apiVersion": o.APIVersion,
		"involvedObject.resourceVersion": o.ResourceVersion, "involvedObject.fieldPath": o.FieldPath,
		"reason": e.Reason, "reportingComponent": e.ReportingController, "source": source, "type": e.Type,
	}
}

func replicationControllerTable() Table {
	spec, status := corev1.ReplicationControllerSpec{}.SwaggerDoc(), corev1.ReplicationControllerStatus{}.SwaggerDoc()
	names, images := containersColumns()
	return table(func(r *corev1.ReplicationController, now time.Time) []any {
		var containers []corev1.Container
		if r.Spec.Template != nil {
			containers = r.Spec.Template.Spec.Containers
		}
		n, i := containersCells(containers)
		return []any{
			r.Name, count(value(r.Spec.Replicas)), count(r.Status.Replicas), count(r.Status.ReadyReplicas),
			Age(r.CreationTimestamp, now), n, i, labels.FormatLabels(r.Spec.Selector),
		}
	},
		nameColumn(), column("Desired", "integer", spec["replicas"]), column("Current", "integer", status["replicas"]),
		column("Ready", "integer", status["readyReplicas"]), ageColumn(), names, images, wide("Selector", "string", spec["selector"]),
	)
}

func accessModes(modes []corev1.PersistentVolumeAccessMode) string {
	short := map[corev1.PersistentVolumeAccessMode]string{
		corev1.ReadWriteOnce: "RWO", corev1.ReadOnlyMany: "ROX", corev1.ReadWriteMany: "RWX", corev1.ReadWriteOncePod: "RWOP",
	}
	var out []string
	for _, m := range []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce, corev1.ReadOnlyMany, corev1.ReadWriteMany, corev1.ReadWriteOncePod} {
		if slices.Contains(modes, m) {
			out = append(out, short[m])
		}
	}
	return strings.Join(out, ",")
}

func claimTable() Table {
	spec, status := corev1.PersistentVolumeClaimSpec{}.SwaggerDoc(), corev1.PersistentVolumeClaimStatus{}.SwaggerDoc()
	return table(func(c *corev1.PersistentVolumeClaim, now time.Time) []any {
		phase, capacity, modes := string(c.Status.Phase), "", ""
		if c.DeletionTimestamp != nil {
			phase = "Terminating"
		}
		if c.Spec.VolumeName != "" {
			modes = accessModes(c.Status.AccessModes)
			q := c.Status.Capacity[corev1.ResourceStorage]
			capacity = q.String()
		}
		return []any{
			c.Name, phase, c.Spec.VolumeName, capacity, modes, value(c.Spec.StorageClassName),
			orElse(c.Spec.VolumeAttributesClassName, "<unset>"), Age(c.CreationTimestamp, now), orElse(c.Spec.VolumeMode, "<unset>"),
		}
	},
		nameColumn(), column("Status", "string", status["phase"]), column("Volume", "string", spec["volumeName"]),
		column("Capacity", "string", status["capacity"]), column("Access Modes", "string", status["accessModes"]),
		column("StorageClass", "string", "StorageClass of the pvc"), column("VolumeAttributesClass", "string", "VolumeAttributesClass of the pvc"),
		ageColumn(), wide("VolumeMode", "string", spec["volumeMode"]),
	)
}

func volumeTable() Table {
	spec, status := corev1.PersistentVolumeSpec{}.SwaggerDoc(), corev1.PersistentVolumeStatus{}.SwaggerDoc()
	return table(func(v *corev1.PersistentVolume, now time.Time) []any {
		claim, phase := "", string(v.Status.Phase)
		if r := v.Spec.ClaimRef; r != nil {
			claim = r.Namespace + "/" + r.Name
		}
		if v.DeletionTimestamp != nil {
			phase = "Terminating"
		}
		q := v.Spec.Capacity[corev1.ResourceStorage]
		return []any{
			v.Name, q.String(), accessModes(v.Spec.AccessModes), string(v.Spec.PersistentVolumeReclaimPolicy), phase, claim,
			v.Spec.StorageClassName, orElse(v.Spec.VolumeAttributesClassName, "<unset>"), v.Status.Reason,
			Age(v.CreationTimestamp, now), orElse(v.Spec.VolumeMode, "<unset>"),
		}
	},
		nameColumn(), column("Capacity", "string", spec["capacity"]), column("Access Modes", "string", spec["accessModes"]),
		column("Reclaim Policy", "string", spec["persistentVolumeReclaimPolicy"]), column("Status", "string", status["phase"]),
		column("Claim", "string", spec["claimRef"]), column("StorageClass", "string", "StorageClass of the pv"),
		column("VolumeAttributesClass", "string", "VolumeAttributesClass of the pv"), column("Reason", "string", status["reason"]),
		ageColumn(), wide("VolumeMode", "string", spec["volumeMode"]),
	)
}
