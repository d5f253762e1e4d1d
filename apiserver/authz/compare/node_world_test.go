package compare

import (
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	upstream "k8s.io/kubernetes/plugin/pkg/auth/authorizer/node"

	"coracle/apiserver/authz/node"
)

// graphs are the two graphs, fed with the same events.
type graphs struct {
	theirs *upstream.Graph
	ours   *node.Graph
	pods   map[string]*corev1.Pod
}

// event changes one object.
func (d draw) event(g *graphs) {
	switch d.IntN(8) {
	case 0, 1, 2, 3:
		pod := d.pod()
		key := pod.Namespace + "/" + pod.Name
		if old := g.pods[key]; old != nil || d.chance(4) { // what a pod needs does not change: it is made anew
			g.theirs.DeletePod(pod.Name, pod.Namespace)
			g.ours.Remove(pod)
			delete(g.pods, key)
		}
		if !d.chance(4) {
			g.pods[key] = pod
			g.theirs.AddPod(pod)
			g.ours.Apply(pod)
		}
	case 4, 5:
		pv := d.volume()
		if d.chance(4) {
			g.theirs.DeletePV(pv.Name)
			g.ours.Remove(pv)
		} else {
			g.theirs.AddPV(pv)
			g.ours.Apply(pv)
		}
	case 6:
		attachment := &storagev1.VolumeAttachment{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: storagev1.VolumeAttachmentSpec{NodeName: d.one("n1", "n2", "")}}
		g.theirs.AddVolumeAttachment("a", attachment.Spec.NodeName)
		g.ours.Apply(attachment)
		slice := &resourcev1.ResourceSlice{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: resourcev1.ResourceSliceSpec{NodeName: new(d.one("n1", "n2"))}}
		g.theirs.DeleteResourceSlice("a")
		g.ours.Remove(slice)
		g.theirs.AddResourceSlice("a", *slice.Spec.NodeName)
		g.ours.Apply(slice)
	default:
		request := &certificatesv1.PodCertificateRequest{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "a"}, Spec: certificatesv1.PodCertificateRequestSpec{NodeName: "n1"}}
		if d.chance(2) {
			g.theirs.AddPodCertificateRequest(request)
			g.ours.Apply(request)
		} else {
			g.theirs.DeletePodCertificateRequest(request)
			g.ours.Remove(request)
		}
	}
}

func (d draw) pod() *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: d.one("blue", "green"), Name: d.one("p1", "p2", "p3")}}
	if d.chance(8) {
		pod.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
	}
	pod.Spec.ServiceAccountName = d.one("a", "b", "")
	pod.Spec.NodeName = d.one("n1", "n2")
	for range d.IntN(5) {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: d.one("v1", "v2"), VolumeSource: d.source()})
	}
	if d.chance(3) {
		pod.Spec.ImagePullSecrets = []corev1.LocalObjectReference{d.ref()}
	}
	if d.chance(3) {
		pod.Spec.Containers = []corev1.Container{{Env: []corev1.EnvVar{{ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: d.ref()}}}}}}
	}
	if d.chance(3) {
		pod.Spec.InitContainers = []corev1.Container{{EnvFrom: []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: d.ref()}}}}}
	}
	if d.chance(3) {
		pod.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "x", ResourceClaimName: new(d.name())}, {Name: "y", ResourceClaimTemplateName: new("t")}}
		if d.chance(2) {
			pod.Status.ResourceClaimStatuses = []corev1.PodResourceClaimStatus{{Name: "y", ResourceClaimName: new(d.name())}}
		}
	}
	return pod
}

func (d draw) name() string                     { return d.one("a", "b", "c", "d") }
func (d draw) ref() corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: d.name()} }

func (d draw) source() corev1.VolumeSource {
	switch d.IntN(12) {
	case 0:
		return corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: d.name()}}
	case 1:
		return corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: d.ref()}}
	case 2:
		return corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: d.name()}}
	case 3:
		return corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}
	case 4:
		return corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{Secret: &corev1.SecretProjection{LocalObjectReference: d.ref()}}, {ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: d.ref()}}}}}
	case 5:
		return corev1.VolumeSource{CephFS: &corev1.CephFSVolumeSource{SecretRef: new(d.ref())}}
	case 6:
		return corev1.VolumeSource{RBD: &corev1.RBDVolumeSource{SecretRef: new(d.ref())}}
	case 7:
		return corev1.VolumeSource{ISCSI: &corev1.ISCSIVolumeSource{SecretRef: new(d.ref())}}
	case 8:
		return corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{NodePublishSecretRef: new(d.ref())}}
	case 9:
		return corev1.VolumeSource{AzureFile: &corev1.AzureFileVolumeSource{SecretName: d.name()}}
	case 10:
		return corev1.VolumeSource{FlexVolume: &corev1.FlexVolumeSource{SecretRef: new(d.ref())}}
	}
	return corev1.VolumeSource{StorageOS: &corev1.StorageOSVolumeSource{SecretRef: new(d.ref())}}
}

func (d draw) volume() *corev1.PersistentVolume {
	pv := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: d.one("a", "b")}}
	if !d.chance(4) {
		pv.Spec.ClaimRef = &corev1.ObjectReference{Namespace: d.one("blue", "green"), Name: d.one("a", "b", "p1-v1")}
	}
	secret := func() *corev1.SecretReference {
		return &corev1.SecretReference{Namespace: d.one("blue", "green", ""), Name: d.one("a", "b", "c", "")}
	}
	switch d.IntN(6) {
	case 0:
		pv.Spec.CSI = &corev1.CSIPersistentVolumeSource{NodeStageSecretRef: secret(), NodePublishSecretRef: secret(), ControllerExpandSecretRef: secret()}
	case 1:
		pv.Spec.AzureFile = &corev1.AzureFilePersistentVolumeSource{SecretName: d.one("a", ""), SecretNamespace: new(d.one("blue", ""))}
	case 2:
		pv.Spec.RBD = &corev1.RBDPersistentVolumeSource{SecretRef: secret()}
	case 3:
		pv.Spec.Cinder = &corev1.CinderPersistentVolumeSource{SecretRef: secret()}
	case 4:
		pv.Spec.StorageOS = &corev1.StorageOSPersistentVolumeSource{SecretRef: &corev1.ObjectReference{Namespace: "blue", Name: "c"}}
	}
	return pv
}
