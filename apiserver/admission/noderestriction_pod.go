package admission

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/labels"

	"coracle/apiserver/authz/node"
)

// pod lets a node mirror its static pods, report on its pods, evict and delete them.
func (p NodeRestriction) pod(me string, a *Attributes) error {
	switch a.Subresource {
	case "":
		return p.wholePod(me, a)
	case "status":
		return podStatus(me, a)
	case "eviction":
		return p.eviction(me, a)
	}
	return forbid(a, "unexpected pod subresource %q, only 'status' and 'eviction' are allowed", a.Subresource)
}

func (p NodeRestriction) wholePod(me string, a *Attributes) error {
	switch a.Operation {
	case Create:
		return p.mirrorPod(me, a)
	case Delete:
		pod, err := p.findPod(a.Namespace, a.Name)
		if err != nil {
			return err
		}
		if pod.Spec.NodeName != me {
			return forbid(a, "node %q can only delete pods with spec.nodeName set to itself", me)
		}
		return nil
	}
	return forbid(a, "unexpected operation %q, node %q can only create and delete mirror pods", a.Operation, me)
}

// mirrorPod holds a pod that a node creates to be the picture of one that the node started by itself: on that
// node, owned by it, and naming no object of the API, since by what a pod names a node gets to read it.
func (p NodeRestriction) mirrorPod(me string, a *Attributes) error {
	pod, err := as[*corev1.Pod](a, a.Object)
	if err != nil {
		return err
	}
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; !mirror {
		return forbid(a, "pod does not have %q annotation, node %q can only create mirror pods", corev1.MirrorPodAnnotationKey, me)
	}
	if pod.Spec.NodeName != me {
		return forbid(a, "node %q can only create pods with spec.nodeName set to itself", me)
	}
	switch n := len(pod.OwnerReferences); {
	case n > 1:
		return forbid(a, "node %q can only create pods with a single owner reference set to itself", me)
	case n == 0:
		return forbid(a, "node %q can only create pods with an owner reference set to itself", me)
	}
	owner := pod.OwnerReferences[0]
	switch {
	case owner.APIVersion != "v1" || owner.Kind != "Node" || owner.Name != me:
		return forbid(a, "node %q can only create pods with an owner reference set to itself", me)
	case owner.Controller == nil || !*owner.Controller:
		return forbid(a, "node %q can only create pods with a controller owner reference set to itself", me)
	case owner.BlockOwnerDeletion != nil && *owner.BlockOwnerDeletion:
		return forbid(a, "node %q must not set blockOwnerDeletion on an owner reference", me)
	}
	is, err := p.findNode(me)
	if err != nil {
		return err
	}
	if owner.UID != is.UID {
		return forbid(a, "node %s UID mismatch: expected %s got %s", me, owner.UID, is.UID)
	}
	what, err := reference(pod)
	if err != nil {
		return forbid(a, "error checking mirror pod for API references: %w", err)
	}
	if what != "" {
		return forbid(a, "node %q can not create pods that reference %s", me, what)
	}
	return nil
}

// reference says what objects of the API a pod names, "" for none. An unknown kind of volume may be anything.
// Source: k8s.io/kubernetes/pkg/api/pod.HasAPIObjectReference.
func reference(pod *corev1.Pod) (string, error) {
	named := node.References(pod)
	for _, resource := range []string{"serviceaccounts", "secrets", "configmaps"} {
		if slices.ContainsFunc(named, func(o node.Object) bool { return o.Resource == resource }) {
			return resource, nil
		}
	}
	if len(pod.Spec.ResourceClaims) > 0 {
		return "resourceclaims", nil
	}
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		what, known := volumeReference(&v.VolumeSource)
		if what != "" {
			return what, nil
		}
		if !known {
			return "", fmt.Errorf("unknown volume type for volume  %q", v.Name)
		}
		if v.Projected == nil {
			continue
		}
		for j := range v.Projected.Sources {
			what, known := projectedReference(&v.Projected.Sources[j])
			if what != "" {
				return what, nil
			}
			if !known {
				return "", fmt.Errorf("unknown source for projected volume %q", v.Name)
			}
		}
	}
	return "", nil
}

func volumeReference(v *corev1.VolumeSource) (what string, known bool) {
	switch {
	case v.AWSElasticBlockStore != nil, v.AzureDisk != nil, v.CephFS != nil, v.Cinder != nil,
		v.DownwardAPI != nil, v.EmptyDir != nil, v.FC != nil, v.FlexVolume != nil, v.Flocker != nil, v.GCEPersistentDisk != nil,
		v.GitRepo != nil, v.HostPath != nil, v.Image != nil, v.ISCSI != nil, v.NFS != nil, v.PhotonPersistentDisk != nil,
		v.PortworxVolume != nil, v.Quobyte != nil, v.RBD != nil, v.ScaleIO != nil, v.StorageOS != nil, v.VsphereVolume != nil:
		return "", true
	case v.ConfigMap != nil:
		return "configmaps (via configmap volumes)", true
	case v.Secret != nil:
		return "secrets (via secret volumes)", true
	case v.CSI != nil:
		return "csidrivers (via CSI volumes)", true
	case v.Glusterfs != nil:
		return "endpoints (via glusterFS volumes)", true
	case v.PersistentVolumeClaim != nil:
		return "persistentvolumeclaims", true
	case v.Ephemeral != nil:
		return "persistentvolumeclaims (via ephemeral volumes)", true
	case v.AzureFile != nil:
		return "secrets (via azureFile volumes)", true
	case v.Projected != nil:
		return "", true
	}
	return "", false
}

func projectedReference(s *corev1.VolumeProjection) (what string, known bool) {
	switch {
	case s.ConfigMap != nil:
		return "configmaps (via projected volumes)", true
	case s.Secret != nil:
		return "secrets (via projected volumes)", true
	case s.ServiceAccountToken != nil:
		return "serviceaccounts (via projected volumes)", true
	case s.ClusterTrustBundle != nil:
		return "clustertrustbundles", true
	case s.PodCertificate != nil:
		return "podcertificates", true
	}
	return "", s.DownwardAPI != nil
}

// podStatus lets a node report on its pods. Claims in a status are what the node may read: it cannot add any.
func podStatus(me string, a *Attributes) error {
	if a.Operation != Update {
		return forbid(a, "unexpected operation %q", a.Operation)
	}
	old, err := as[*corev1.Pod](a, a.Old)
	if err != nil {
		return err
	}
	if old.Spec.NodeName != me {
		return forbid(a, "node %q can only update pod status for pods with spec.nodeName set to itself", me)
	}
	changed, err := as[*corev1.Pod](a, a.Object)
	if err != nil {
		return err
	}
	same := apiequality.Semantic.DeepEqual
	switch {
	case !labels.Equals(old.Labels, changed.Labels):
		return forbid(a, "node %q cannot update labels through pod status", me)
	case !same(old.Status.ResourceClaimStatuses, changed.Status.ResourceClaimStatuses):
		return forbid(a, "node %q cannot update resource claim statues", me) // upstream's spelling
	case !same(old.Status.ExtendedResourceClaimStatus, changed.Status.ExtendedResourceClaimStatus):
		return forbid(a, "node %q cannot update extended resource claim status", me)
	case !same(old.Status.NodeAllocatableResourceClaimStatuses, changed.Status.NodeAllocatableResourceClaimStatuses):
		return forbid(a, "node %q cannot update node allocatable resource claim statuses", me)
	}
	return nil
}

func (p NodeRestriction) eviction(me string, a *Attributes) error {
	if a.Operation != Create {
		return forbid(a, "unexpected operation %s", a.Operation)
	}
	e, err := as[*policyv1.Eviction](a, a.Object)
	if err != nil {
		return err
	}
	name := a.Name
	if name == "" {
		name = e.Name
	}
	if name == "" {
		return forbid(a, "could not determine pod from request data")
	}
	pod, err := p.findPod(a.Namespace, name)
	if err != nil {
		return err
	}
	if pod.Spec.NodeName != me {
		return forbid(a, "node %s can only evict pods with spec.nodeName set to itself", me)
	}
	return nil
}
