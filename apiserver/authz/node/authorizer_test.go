package node

import (
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	resourcev1 "k8s.io/api/resource/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/apiserver/authz"
	"coracle/rbac"
)

// cluster has two nodes: n1 runs pod blue/web, which uses all that a pod can use; n2 runs blue/idle, which uses nothing
// but its service account.
func cluster() *Graph {
	g := NewGraph()
	web := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "web"}}
	web.Spec = corev1.PodSpec{
		NodeName:           "n1",
		ServiceAccountName: "robot",
		ImagePullSecrets:   []corev1.LocalObjectReference{{Name: "pull"}},
		InitContainers:     []corev1.Container{{Env: []corev1.EnvVar{{ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: ref("init-secret")}}}}}},
		Containers: []corev1.Container{{
			Env:     []corev1.EnvVar{{Name: "PLAIN", Value: "x"}, {ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: ref("env-map")}}}},
			EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: ref("envfrom-secret")}}, {ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: ref("envfrom-map")}}},
		}},
		EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: ref("debug-secret")}}}}}},
		Volumes: []corev1.Volume{
			{Name: "a", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "volume-secret"}}},
			{Name: "b", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: ref("volume-map")}}},
			{Name: "c", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
				{Secret: &corev1.SecretProjection{LocalObjectReference: ref("projected-secret")}},
				{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: ref("kube-root-ca.crt")}}}}}},
			{Name: "d", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}},
			{Name: "scratch", VolumeSource: corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}},
			{Name: "e", VolumeSource: corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{NodePublishSecretRef: new(ref("csi-inline"))}}},
		},
		ResourceClaims: []corev1.PodResourceClaim{{Name: "gpu", ResourceClaimName: new("gpu-claim")}, {Name: "nic", ResourceClaimTemplateName: new("nics")}},
	}
	web.Status.ResourceClaimStatuses = []corev1.PodResourceClaimStatus{{Name: "nic", ResourceClaimName: new("web-nic-x1")}}
	g.Apply(web)
	g.Apply(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "idle"}, Spec: corev1.PodSpec{NodeName: "n2", ServiceAccountName: "robot"}})
	g.Apply(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "waiting"}, Spec: corev1.PodSpec{ServiceAccountName: "late"}})
	g.Apply(&corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "disk"}, Spec: corev1.PersistentVolumeSpec{
		ClaimRef: &corev1.ObjectReference{Namespace: "blue", Name: "data"},
		PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{
			NodeStageSecretRef:         &corev1.SecretReference{Namespace: "storage", Name: "stage"},
			ControllerPublishSecretRef: &corev1.SecretReference{Namespace: "storage", Name: "controller"}}}}})
	g.Apply(&corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "unclaimed"}})
	g.Apply(&storagev1.VolumeAttachment{ObjectMeta: metav1.ObjectMeta{Name: "attached"}, Spec: storagev1.VolumeAttachmentSpec{NodeName: "n1"}})
	g.Apply(&resourcev1.ResourceSlice{ObjectMeta: metav1.ObjectMeta{Name: "slice"}, Spec: resourcev1.ResourceSliceSpec{NodeName: new("n1")}})
	g.Apply(&certificatesv1.PodCertificateRequest{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "cert"}, Spec: certificatesv1.PodCertificateRequestSpec{NodeName: "n1"}})
	return g
}

func ref(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }

// ask reads `n1 get secrets/volume-secret -n blue` or, with a subresource, `n1 create serviceaccounts/robot/token -n blue`.
func ask(line string) *rbac.Attributes {
	words := strings.Fields(line)
	a := &rbac.Attributes{User: &user.DefaultInfo{Name: "system:node:" + words[0], Groups: []string{"system:nodes", "system:authenticated"}},
		Verb: words[1], ResourceRequest: true}
	parts := strings.Split(words[2], "/")
	a.Resource = parts[0]
	if group, resource, ok := strings.Cut(parts[0], ":"); ok {
		a.APIGroup, a.Resource = group, resource
	}
	if len(parts) > 1 {
		a.Name = parts[1]
	}
	if len(parts) > 2 {
		a.Subresource = parts[2]
	}
	for i := 3; i < len(words); i += 2 {
		switch words[i] {
		case "-n":
			a.Namespace = words[i+1]
		case "--field":
			a.FieldSelector = fields.ParseSelectorOrDie(words[i+1]).Requirements()
		}
	}
	return a
}

func TestAuthorize(t *testing.T) {
	n := Authorizer{Graph: cluster(), Rules: []rbacv1.PolicyRule{{Verbs: []string{"get", "list", "watch"}, APIGroups: []string{""}, Resources: []string{"services"}}}}
	const unrelated = "no relationship found between node 'n2' and this object"
	const allowed = "allowed"
	for _, c := range []struct{ request, want string }{
		{"n1 get secrets/volume-secret -n blue", allowed},
		{"n1 get secrets/projected-secret -n blue", allowed},
		{"n1 get secrets/init-secret -n blue", allowed},
		{"n1 get secrets/envfrom-secret -n blue", allowed},
		{"n1 get secrets/debug-secret -n blue", allowed},
		{"n1 get secrets/csi-inline -n blue", allowed},
		{"n1 watch secrets/pull -n blue", allowed},
		{"n1 list configmaps/volume-map -n blue", allowed},
		{"n1 get configmaps/env-map -n blue", allowed},
		{"n1 get configmaps/envfrom-map -n blue", allowed},
		{"n1 get configmaps/kube-root-ca.crt -n blue", allowed},
		{"n1 get configmaps/kube-root-ca.crt -n green", "no relationship found between node 'n1' and this object"},
		{"n2 get secrets/volume-secret -n blue", unrelated},
		{"n2 get configmaps/kube-root-ca.crt -n blue", unrelated},
		{"n1 get secrets/unknown -n blue", "no relationship found between node 'n1' and this object"},
		{"n3 get secrets/volume-secret -n blue", "no relationship found between node 'n3' and this object"},
		{"n1 list secrets -n blue", "No Object name found"},
		{"n1 list secrets", "can only read namespaced object of this type"},
		{"n1 update secrets/volume-secret -n blue", "can only read resources of this type"},
		{"n1 delete secrets/volume-secret -n blue", "can only read resources of this type"},
		{"n1 get secrets/volume-secret/status -n blue", "cannot read subresource"},

		{"n1 get persistentvolumeclaims/data -n blue", allowed},
		{"n1 get persistentvolumeclaims/web-scratch -n blue", allowed},
		{"n1 patch persistentvolumeclaims/data/status -n blue", allowed},
		{"n1 get persistentvolumeclaims/data/status -n blue", "can only get/update/patch this type"},
		{"n1 list persistentvolumeclaims -n blue", "can only get individual resources of this type"},
		{"n2 get persistentvolumeclaims/data -n blue", unrelated},
		{"n1 get persistentvolumes/disk", allowed},
		{"n2 get persistentvolumes/disk", unrelated},
		{"n1 get persistentvolumes/unclaimed", "no relationship found between node 'n1' and this object"},
		{"n1 get secrets/stage -n storage", allowed},
		{"n1 get secrets/controller -n storage", "no relationship found between node 'n1' and this object"},
		{"n2 get secrets/stage -n storage", unrelated},
		{"n1 get storage.k8s.io:volumeattachments/attached", allowed},
		{"n2 get storage.k8s.io:volumeattachments/attached", unrelated},
		{"n1 get resource.k8s.io:resourceclaims/gpu-claim -n blue", allowed},
		{"n1 get resource.k8s.io:resourceclaims/web-nic-x1 -n blue", allowed},
		{"n1 get resource.k8s.io:resourceclaims/gpu-claim/status -n blue", "cannot get subresource"},

		{"n1 create serviceaccounts/robot/token -n blue", allowed},
		{"n2 create serviceaccounts/robot/token -n blue", allowed},
		{"n1 create serviceaccounts/admin/token -n blue", "no relationship found between node 'n1' and this object"},
		{"n1 create serviceaccounts/late/token -n blue", "no relationship found between node 'n1' and this object"},
		{"n1 create serviceaccounts/robot/token -n kube-system", "no relationship found between node 'n1' and this object"},
		{"n1 get serviceaccounts/robot -n blue", allowed},
		{"n1 create serviceaccounts -n blue", "can only create tokens for individual service accounts"},
		{"n1 create serviceaccounts/robot -n blue", "can only create token subresource of serviceaccount"},
		{"n1 list serviceaccounts -n blue", "can only create tokens for individual service accounts"},

		{"n1 update coordination.k8s.io:leases/n1 -n kube-node-lease", allowed},
		{"n1 create coordination.k8s.io:leases -n kube-node-lease", allowed},
		{"n1 update coordination.k8s.io:leases/n2 -n kube-node-lease", "can only access node lease with the same name as the requesting node"},
		{"n1 update coordination.k8s.io:leases/n1 -n kube-system", `can only access leases in the "kube-node-lease" system namespace`},
		{"n1 list coordination.k8s.io:leases -n kube-node-lease", "can only get, create, update, patch, or delete a node lease"},
		{"n1 get storage.k8s.io:csinodes/n1", allowed},
		{"n1 create storage.k8s.io:csinodes", allowed},
		{"n1 get storage.k8s.io:csinodes/n2", "can only access CSINode with the same name as the requesting node"},
		{"n1 list storage.k8s.io:csinodes", "can only get, create, update, patch, or delete a CSINode"},
		{"n1 get storage.k8s.io:csinodes/n1/status", "CSINode status access requires CSIVolumeHealth feature"},
		{"n1 get storage.k8s.io:csinodes/n1/scale", "cannot authorize CSINode subresources"},

		{"n1 get resource.k8s.io:resourceslices/slice", allowed},
		{"n1 create resource.k8s.io:resourceslices", allowed},
		{"n2 delete resource.k8s.io:resourceslices/slice", unrelated},
		{"n2 list resource.k8s.io:resourceslices --field spec.nodeName=n2", allowed},
		{"n2 list resource.k8s.io:resourceslices --field spec.nodeName=n1", "can only list/watch/deletecollection resourceslices with nodeName field selector"},
		{"n2 list resource.k8s.io:resourceslices --field spec.nodeName!=n2", "can only list/watch/deletecollection resourceslices with nodeName field selector"},
		{"n1 get resource.k8s.io:resourceslices/slice/status", "cannot authorize ResourceSlice subresources"},
		{"n1 escalate resource.k8s.io:resourceslices/slice", "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection"},

		{"n1 get certificates.k8s.io:podcertificaterequests/cert -n blue", allowed},
		{"n2 get certificates.k8s.io:podcertificaterequests/cert -n blue", unrelated},
		{"n1 create certificates.k8s.io:podcertificaterequests -n blue", allowed},
		{"n1 watch certificates.k8s.io:podcertificaterequests --field spec.nodeName=n1", allowed},
		{"n1 watch certificates.k8s.io:podcertificaterequests", "can only list/watch podcertificaterequests with nodeName field selector"},
		{"n1 delete certificates.k8s.io:podcertificaterequests/cert -n blue", "nodes may not delete podcertificaterequests"},
		{"n1 update certificates.k8s.io:podcertificaterequests/cert/status -n blue", "nodes may not access the status subresource of PodCertificateRequests"},

		{"n1 get nodes/n1", allowed},
		{"n9 get nodes/n9", allowed},
		{"n1 get nodes/n2", "node 'n1' cannot read 'n2', only its own Node object"},
		{"n1 list nodes", "node 'n1' cannot read all nodes, only its own Node object"},
		{"n1 watch nodes/n1", allowed},
		{"n1 patch nodes/n1/status", allowed},
		{"n1 create nodes", allowed},
		{"n1 delete nodes/n1", ""},
		{"n1 get nodes/n1/proxy", ""},

		{"n1 get pods/web -n blue", allowed},
		{"n2 get pods/web -n blue", unrelated},
		{"n1 list pods --field spec.nodeName=n1", allowed},
		{"n1 list pods --field spec.nodeName=n2", "can only list/watch pods with spec.nodeName field selector"},
		{"n1 watch pods", "can only list/watch pods with spec.nodeName field selector"},
		{"n1 watch pods/web -n blue", allowed},
		{"n2 watch pods/web -n blue", unrelated},
		{"n1 create pods -n blue", allowed},
		{"n1 patch pods/web/status -n blue", allowed},
		{"n1 create pods/web/eviction -n blue", allowed},
		{"n1 create pods/web/exec -n blue", ""},
		{"n1 patch pods/web -n blue", ""},

		{"n1 list services", allowed},
		{"n1 create services -n blue", ""},
		{"n1 get apps:secrets/volume-secret -n blue", ""},
	} {
		t.Run(c.request, func(t *testing.T) {
			o := n.Authorize(t.Context(), ask(c.request))
			got := o.Reason()
			if o.Verdict == authz.Allow {
				got = allowed
			}
			if got != c.want {
				t.Errorf("%v %q, want %q", o.Verdict, o.Reason(), c.want)
			}
		})
	}
}

func TestAuthorize_OnlyNodes(t *testing.T) {
	n := Authorizer{Graph: cluster()}
	for _, c := range []struct {
		name, user string
		groups     []string
		want       string
	}{
		{"a user with a node's name who is not in the group", "system:node:n1", []string{"system:authenticated"}, ""},
		{"a member of the group with another name", "system:nodes:n1", []string{"system:nodes"}, ""},
		{"a member of the group without a name", "system:node:", []string{"system:nodes"}, `unknown node for user "system:node:"`},
		{"somebody else", "ann", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := ask("n1 get secrets/volume-secret -n blue")
			a.User = &user.DefaultInfo{Name: c.user, Groups: c.groups}
			if o := n.Authorize(t.Context(), a); o.Verdict != authz.NoOpinion || o.Reason() != c.want {
				t.Errorf("%v %q, want %q", o.Verdict, o.Reason(), c.want)
			}
		})
	}
	if o := n.Authorize(t.Context(), &rbac.Attributes{Verb: "get"}); o.Verdict != authz.NoOpinion {
		t.Errorf("nobody: %v", o.Verdict)
	}
}

// A kubelet that was taken over can create a mirror pod for any static pod that it claims to have. If that
// counted, it could read every secret by naming it there.
func TestAuthorize_MirrorPodsGiveNothing(t *testing.T) {
	n := Authorizer{Graph: cluster()}
	n.Apply(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "evil-n2", Annotations: map[string]string{corev1.MirrorPodAnnotationKey: "x"}},
		Spec: corev1.PodSpec{NodeName: "n2", ServiceAccountName: "admin",
			Volumes: []corev1.Volume{{VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "root-token"}}}}},
	})
	for request, want := range map[string]authz.Verdict{
		"n2 get pods/evil-n2 -n kube-system":                   authz.Allow,
		"n2 get secrets/root-token -n kube-system":             authz.NoOpinion,
		"n2 create serviceaccounts/admin/token -n kube-system": authz.NoOpinion,
	} {
		if o := n.Authorize(t.Context(), ask(request)); o.Verdict != want {
			t.Errorf("%s: %v", request, o.Verdict)
		}
	}
}

func TestAuthorize_SaysWhy(t *testing.T) {
	n := Authorizer{Graph: cluster()}
	for request, want := range map[string]string{
		"n1 get secrets/volume-secret -n blue": "secrets blue/volume-secret is needed by pods blue/web on node n1",
		"n1 get secrets/stage -n storage":      "secrets storage/stage is needed by persistentvolumes disk is needed by persistentvolumeclaims blue/data is needed by pods blue/web on node n1",
		"n1 get pods/web -n blue":              "pods blue/web is of node n1",
	} {
		o := n.Authorize(t.Context(), ask(request))
		relation, ok := o.Because.(Relation)
		if !ok || relation.String() != want || o.Reason() != "" {
			t.Errorf("%s: %#v (%s), want %s", request, o.Because, relation, want)
		}
	}
}

func TestRulesFor(t *testing.T) {
	rules := Authorizer{}.RulesFor(ask("n1 get pods").User, "blue")
	if !rules.Incomplete || rules.Err == nil || rules.Err.Error() != "node authorizer does not support user rule resolution" {
		t.Errorf("%+v", rules)
	}
	if rules := (Authorizer{}).RulesFor(&user.DefaultInfo{Name: "ann"}, "blue"); rules.Incomplete || rules.Err != nil {
		t.Errorf("%+v", rules)
	}
}
