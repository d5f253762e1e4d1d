package admission

import (
	"context"
	"crypto/x509/pkix"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	resourcev1 "k8s.io/api/resource/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/apiserver/authz"
	"coracle/apiserver/catalog"
	"coracle/rbac"
)

// things answers look-ups by kind, namespace and name.
type things map[string]runtime.Object

func (t things) Lookup(gvk schema.GroupVersionKind, namespace, name string) runtime.Object {
	return t[gvk.Kind+" "+namespace+"/"+name]
}

// roles allows what is written in it as `verb resource name`.
type roles []string

func (r roles) Ask(_ context.Context, a *rbac.Attributes) authz.Answer {
	if slices.Contains(r, a.Verb+" "+a.Resource+" "+a.Namespace+"/"+a.Name) {
		return authz.Answer{Verdict: authz.Allow}
	}
	return authz.Answer{}
}

func aNode(name string) user.Info {
	return &user.DefaultInfo{Name: "system:node:" + name, Groups: []string{"system:nodes"}}
}

func kindOf(group, resource string) *catalog.Kind {
	return &catalog.Kind{GroupVersionKind: schema.GroupVersionKind{Group: group, Version: "v1"}, Resource: resource}
}

// made is an object with some changes.
func made[T any](change ...func(*T)) *T {
	obj := new(T)
	for _, f := range change {
		f(obj)
	}
	return obj
}

func onNode(name string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Name, p.Namespace, p.UID, p.Spec.NodeName = "web", "blue", "pod-uid", name
	}
}

func mirror(p *corev1.Pod) {
	onNode("n1")(p)
	p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
	p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: "n1", UID: "n1-uid", Controller: new(true)}}
}

func withVolume(v corev1.VolumeSource) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: "v", VolumeSource: v})
	}
}

func projecting(audience string) func(*corev1.Pod) {
	return withVolume(corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
		{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: audience}}}}})
}

// verdict is what NodeRestriction says of a request, "" if it has nothing against it.
func verdict(p NodeRestriction, a Attributes) string {
	if err := p.Mutate(context.Background(), &a); err != nil {
		return err.Error()
	}
	return ""
}

var theNode = things{"Node /n1": made(func(n *corev1.Node) { n.Name, n.UID = "n1", "n1-uid" })}

func TestNodeRestriction_Pods(t *testing.T) {
	world := maps.Clone(theNode)
	world["Pod blue/web"] = made(onNode("n1"))
	world["Pod blue/other"] = made(onNode("n2"))
	create := func(change ...func(*corev1.Pod)) Attributes {
		return Attributes{Operation: Create, Namespace: "blue", Name: "web", Object: made(append([]func(*corev1.Pod){mirror}, change...)...)}
	}
	referring := func(what string) string {
		return `pods "web" is forbidden: node "n1" can not create pods that reference ` + what
	}
	own := func(change func(*metav1.OwnerReference)) func(*corev1.Pod) {
		return func(p *corev1.Pod) { change(&p.OwnerReferences[0]) }
	}
	status := func(sub string, old, changed *corev1.Pod) Attributes {
		return Attributes{Operation: Update, Subresource: sub, Namespace: "blue", Name: "web", Old: old, Object: changed}
	}
	for name, c := range map[string]struct {
		a    Attributes
		want string
	}{
		"a mirror pod":               {create(), ""},
		"a pod that mirrors nothing": {create(func(p *corev1.Pod) { p.Annotations = nil }), `pods "web" is forbidden: pod does not have "kubernetes.io/config.mirror" annotation, node "n1" can only create mirror pods`},
		"a mirror pod of another node": {create(func(p *corev1.Pod) { p.Spec.NodeName = "n2" }),
			`pods "web" is forbidden: node "n1" can only create pods with spec.nodeName set to itself`},
		"without an owner":                  {create(func(p *corev1.Pod) { p.OwnerReferences = nil }), `pods "web" is forbidden: node "n1" can only create pods with an owner reference set to itself`},
		"with two owners":                   {create(func(p *corev1.Pod) { p.OwnerReferences = make([]metav1.OwnerReference, 2) }), `pods "web" is forbidden: node "n1" can only create pods with a single owner reference set to itself`},
		"owned by another":                  {create(own(func(o *metav1.OwnerReference) { o.Name = "n2" })), `pods "web" is forbidden: node "n1" can only create pods with an owner reference set to itself`},
		"owned, not controlled":             {create(own(func(o *metav1.OwnerReference) { o.Controller = nil })), `pods "web" is forbidden: node "n1" can only create pods with a controller owner reference set to itself`},
		"blocking its owner's deletion":     {create(own(func(o *metav1.OwnerReference) { o.BlockOwnerDeletion = new(true) })), `pods "web" is forbidden: node "n1" must not set blockOwnerDeletion on an owner reference`},
		"owned by a node that was replaced": {create(own(func(o *metav1.OwnerReference) { o.UID = "old" })), `pods "web" is forbidden: node n1 UID mismatch: expected old got n1-uid`},
		"with an account":                   {create(func(p *corev1.Pod) { p.Spec.ServiceAccountName = "a" }), referring("serviceaccounts")},
		"with a pull secret":                {create(func(p *corev1.Pod) { p.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "s"}} }), referring("secrets")},
		"with an environment from a configmap": {create(func(p *corev1.Pod) {
			p.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{EnvFrom: []corev1.EnvFromSource{{
				ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "c"}}}}}}}
		}), referring("configmaps")},
		"with a device claim":     {create(func(p *corev1.Pod) { p.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "c"}} }), referring("resourceclaims")},
		"with a nameless secret":  {create(withVolume(corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{}})), referring("secrets (via secret volumes)")},
		"with a claim":            {create(withVolume(corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{}})), referring("persistentvolumeclaims")},
		"with a token":            {create(projecting("x")), referring("serviceaccounts (via projected volumes)")},
		"with a host path":        {create(withVolume(corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{}})), ""},
		"with an unknown volume":  {create(withVolume(corev1.VolumeSource{})), `pods "web" is forbidden: error checking mirror pod for API references: unknown volume type for volume  "v"`},
		"deleting its own":        {Attributes{Operation: Delete, Namespace: "blue", Name: "web"}, ""},
		"deleting another node's": {Attributes{Operation: Delete, Namespace: "blue", Name: "other"}, `pods "other" is forbidden: node "n1" can only delete pods with spec.nodeName set to itself`},
		"deleting one that is not there": {Attributes{Operation: Delete, Namespace: "blue", Name: "none"},
			`pod "none" not found`},
		"updating its own":       {status("", made(onNode("n1")), made(onNode("n1"))), `pods "web" is forbidden: unexpected operation "UPDATE", node "n1" can only create and delete mirror pods`},
		"status of its own":      {status("status", made(onNode("n1")), made(onNode("n1"))), ""},
		"status of another's":    {status("status", made(onNode("n2")), made(onNode("n1"))), `pods "web" is forbidden: node "n1" can only update pod status for pods with spec.nodeName set to itself`},
		"labels by the status":   {status("status", made(onNode("n1")), made(onNode("n1"), func(p *corev1.Pod) { p.Labels = map[string]string{"a": "b"} })), `pods "web" is forbidden: node "n1" cannot update labels through pod status`},
		"a claim in the status":  {status("status", made(onNode("n1")), made(onNode("n1"), func(p *corev1.Pod) { p.Status.ResourceClaimStatuses = []corev1.PodResourceClaimStatus{{Name: "c"}} })), `pods "web" is forbidden: node "n1" cannot update resource claim statues`},
		"ephemeral containers":   {status("ephemeralcontainers", made(onNode("n1")), made(onNode("n1"))), `pods "web" is forbidden: unexpected pod subresource "ephemeralcontainers", only 'status' and 'eviction' are allowed`},
		"evicting its own":       {Attributes{Operation: Create, Subresource: "eviction", Namespace: "blue", Name: "web", Object: &policyv1.Eviction{}}, ""},
		"evicting another's":     {Attributes{Operation: Create, Subresource: "eviction", Namespace: "blue", Name: "other", Object: &policyv1.Eviction{}}, `pods "other" is forbidden: node n1 can only evict pods with spec.nodeName set to itself`},
		"an eviction of nothing": {Attributes{Operation: Create, Subresource: "eviction", Namespace: "blue", Object: &policyv1.Eviction{}}, `pods "Unknown" is forbidden: could not determine pod from request data`},
	} {
		t.Run(name, func(t *testing.T) {
			c.a.Kind, c.a.User = podKind(), aNode("n1")
			if diff := cmp.Diff(c.want, verdict(NodeRestriction{Objects: world}, c.a)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNodeRestriction_ItsNode(t *testing.T) {
	labelled := func(names ...string) *corev1.Node {
		n := made(func(n *corev1.Node) { n.Name, n.Labels = "n1", map[string]string{} })
		for _, name := range names {
			n.Labels[name] = "x"
		}
		return n
	}
	allowed := labelled("kubernetes.io/hostname", "topology.kubernetes.io/zone", "beta.kubernetes.io/os", "foo.node.kubernetes.io/a",
		"kubelet.kubernetes.io/b", "my.org/c", "plain", "notkubernetes.io/d")
	forbidden := labelled("node-restriction.kubernetes.io/foo", "foo.node-restriction.kubernetes.io/foo", "other.kubernetes.io/foo", "other.k8s.io/foo",
		"kubernetes.io/role", "node-role.kubernetes.io/control-plane")
	list := "foo.node-restriction.kubernetes.io/foo, kubernetes.io/role, node-restriction.kubernetes.io/foo, node-role.kubernetes.io/control-plane, other.k8s.io/foo, other.kubernetes.io/foo"
	spec := func(f func(*corev1.NodeSpec)) *corev1.Node { n := labelled(); f(&n.Spec); return n }
	source := spec(func(s *corev1.NodeSpec) {
		s.ConfigSource = &corev1.NodeConfigSource{ConfigMap: &corev1.ConfigMapNodeConfigSource{Name: "c"}}
	})
	for name, c := range map[string]struct {
		op           Operation
		name         string
		changed, old *corev1.Node
		want         string
	}{
		"registering":                      {Create, "n1", allowed, nil, ""},
		"registering as another":           {Create, "n2", labelled(), nil, `nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2"`},
		"deleting another":                 {Delete, "n2", nil, labelled(), `nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2"`},
		"registering with others' labels":  {Create, "n1", forbidden, nil, `nodes "n1" is forbidden: node "n1" is not allowed to set the following labels: ` + list},
		"registering with a config source": {Create, "n1", source, nil, `nodes "n1" is forbidden: node "n1" is not allowed to create pods with a non-nil configSource`},
		"labels that it may change":        {Update, "n1", labelled(), allowed, ""},
		"taking off others' labels":        {Update, "n1", labelled(), forbidden, `nodes "n1" is forbidden: is not allowed to modify labels: ` + list},
		"keeping others' labels":           {Update, "n1", forbidden, forbidden, ""},
		"a config source":                  {Update, "n1", source, labelled(), `nodes "n1" is forbidden: node "n1" is not allowed to update configSource to a new non-nil configSource`},
		"dropping a config source":         {Update, "n1", labelled(), source, ""},
		"taking off a taint": {Update, "n1", labelled(), spec(func(s *corev1.NodeSpec) { s.Taints = []corev1.Taint{{Key: "a"}} }),
			`nodes "n1" is forbidden: node "n1" is not allowed to modify taints`},
		"an owner": {Update, "n1", made(func(n *corev1.Node) { n.OwnerReferences = make([]metav1.OwnerReference, 1) }), labelled(),
			`nodes "n1" is forbidden: node "n1" is not allowed to modify ownerReferences`},
	} {
		t.Run(name, func(t *testing.T) {
			a := Attributes{Operation: c.op, Kind: kindOf("", "nodes"), Name: c.name, User: aNode("n1")}
			if c.changed != nil {
				a.Object = c.changed
			}
			if c.old != nil {
				a.Old = c.old
			}
			if diff := cmp.Diff(c.want, verdict(NodeRestriction{Objects: theNode}, a)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNodeRestriction_Tokens(t *testing.T) {
	claimed := corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "c"}}
	inline := corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: "csi.example.com"}}
	driver := made(func(d *storagev1.CSIDriver) { d.Spec.TokenRequests = []storagev1.TokenRequest{{Audience: "vault"}} })
	chain := things{
		"PersistentVolumeClaim blue/c":  made(func(c *corev1.PersistentVolumeClaim) { c.Spec.VolumeName = "v" }),
		"PersistentVolume /v":           made(func(v *corev1.PersistentVolume) { v.Spec.AzureFile = &corev1.AzureFilePersistentVolumeSource{} }),
		"CSIDriver /file.csi.azure.com": driver,
	}
	forbidden := `serviceaccounts "a" is forbidden: `
	for name, c := range map[string]struct {
		pod       *corev1.Pod
		with      things
		may       roles
		ref       *authenticationv1.BoundObjectReference
		audiences []string
		want      string
	}{
		"its pod's own token":             {pod: made(onNode("n1"), projecting(""))},
		"the audience that its pod wants": {pod: made(onNode("n1"), projecting("vault")), audiences: []string{"vault"}},
		"another audience":                {pod: made(onNode("n1"), projecting("vault")), audiences: []string{"bank"}, want: forbidden + `system:node:n1 is not authorized to request tokens for audience "bank"`},
		"no audience for a pod without":   {pod: made(onNode("n1")), want: forbidden + `system:node:n1 is not authorized to request tokens for audience ""`},
		"two audiences":                   {pod: made(onNode("n1"), projecting("a"), projecting("b")), audiences: []string{"a", "b"}, want: forbidden + "node may only request 0 or 1 audiences"},
		"an audience by role":             {pod: made(onNode("n1")), audiences: []string{"bank"}, may: roles{"request-serviceaccounts-token-audience bank blue/a"}},
		"the audience of a driver":        {pod: made(onNode("n1"), withVolume(inline)), audiences: []string{"vault"}, with: things{"CSIDriver /csi.example.com": driver}},
		"the audience of a claim's driver, which took over from Azure": {pod: made(onNode("n1"), withVolume(claimed)), audiences: []string{"vault"}, with: chain},
		"a driver that is not there":                                   {pod: made(onNode("n1"), withVolume(inline)), audiences: []string{"vault"}, want: forbidden + `error validating audience "vault": csidriver.storage.k8s.io "csi.example.com" not found`},
		"a claim that is not there":                                    {pod: made(onNode("n1"), withVolume(claimed)), audiences: []string{"vault"}, want: forbidden + `error validating audience "vault": persistentvolumeclaim "c" not found`},
		"a pod of another node":                                        {pod: made(onNode("n2"), projecting("")), want: forbidden + "node requested token bound to a pod scheduled on a different node"},
		"bound to a node":                                              {pod: made(onNode("n1")), ref: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Node", Name: "n1", UID: "u"}, want: forbidden + "node requested token not bound to a pod"},
		"without the pod's uid":                                        {pod: made(onNode("n1")), ref: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: "web"}, want: forbidden + "node requested token with a pod binding without a uid"},
		"for a pod that was replaced":                                  {pod: made(onNode("n1")), ref: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: "web", UID: "old"}, want: forbidden + "the UID in the bound object reference (old) does not match the UID in record. The object might have been deleted and then recreated"},
		"for a pod that is not there":                                  {pod: made(onNode("n1")), ref: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: "none", UID: "old"}, want: `pod "none" not found`},
	} {
		t.Run(name, func(t *testing.T) {
			world := things{"Pod blue/web": c.pod}
			maps.Copy(world, c.with)
			request := &authenticationv1.TokenRequest{}
			request.Spec.Audiences = c.audiences
			request.Spec.BoundObjectRef = c.ref
			if c.ref == nil {
				request.Spec.BoundObjectRef = &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: "web", UID: "pod-uid"}
			}
			a := Attributes{Operation: Create, Subresource: "token", Kind: kindOf("", "serviceaccounts"), Namespace: "blue", Name: "a", Object: request, User: aNode("n1")}
			if diff := cmp.Diff(c.want, verdict(NodeRestriction{Objects: world, Authz: c.may}, a)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNodeRestriction_PodCertificates(t *testing.T) {
	signed := withVolume(corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
		{PodCertificate: &corev1.PodCertificateProjection{SignerName: "example.com/foo"}}}}})
	runsAs := func(p *corev1.Pod) { p.Spec.ServiceAccountName = "a" }
	good := certificatesv1.PodCertificateRequestSpec{SignerName: "example.com/foo", PodName: "web", PodUID: "pod-uid", ServiceAccountName: "a", ServiceAccountUID: "a-uid", NodeName: "n1", NodeUID: "n1-uid"}
	forbidden := `podcertificaterequests.certificates.k8s.io "r" is forbidden: `
	for name, c := range map[string]struct {
		change func(*certificatesv1.PodCertificateRequestSpec)
		pod    *corev1.Pod
		may    roles
		want   string
	}{
		"for its pod":      {},
		"for another node": {change: func(s *certificatesv1.PodCertificateRequestSpec) { s.NodeName = "n2" }, want: forbidden + `PodCertificateRequest.Spec.NodeName="n2", which is not the requesting node "n1"`},
		"for a node that was replaced": {change: func(s *certificatesv1.PodCertificateRequestSpec) { s.NodeUID = "old" },
			want: `PodCertificateRequest for pod "blue/web" names node UID "old", inconsistent with the running node ("n1-uid")`},
		"for a pod that is not there":      {change: func(s *certificatesv1.PodCertificateRequestSpec) { s.PodName = "none" }, want: `while retrieving pod "blue/none" named in the PodCertificateRequest: pod "none" not found`},
		"for a pod that was replaced":      {change: func(s *certificatesv1.PodCertificateRequestSpec) { s.PodUID = "old" }, want: `PodCertificateRequest for pod "blue/web" contains pod UID ("old") which differs from running pod "pod-uid"`},
		"for another's pod":                {pod: made(onNode("n2"), signed, runsAs), want: forbidden + `pod "blue/web" is not running on node "n1" named in the PodCertificateRequest`},
		"for a mirror pod":                 {pod: made(mirror, signed, runsAs), want: forbidden + `pod "blue/web" is a mirror pod`},
		"as another account":               {change: func(s *certificatesv1.PodCertificateRequestSpec) { s.ServiceAccountName = "b" }, want: forbidden + `PodCertificateRequest for pod "blue/web" contains serviceAccountName ("b") that differs from running pod ("a")`},
		"as an account that was replaced":  {change: func(s *certificatesv1.PodCertificateRequestSpec) { s.ServiceAccountUID = "old" }, want: `PodCertificateRequest for pod "blue/web" names service account UID "old", which differs from the running service account ("a-uid")`},
		"from a signer that it names not":  {pod: made(onNode("n1"), runsAs), want: forbidden + `pod "blue/web" does not mount a podCertificate projected volume for signer "example.com/foo"`},
		"from a signer that a role grants": {pod: made(onNode("n1"), runsAs), may: roles{"request-serviceaccounts-podcertificate-signer example.com:foo blue/a"}},
	} {
		t.Run(name, func(t *testing.T) {
			world := maps.Clone(theNode)
			world["ServiceAccount blue/a"] = made(func(s *corev1.ServiceAccount) { s.UID = "a-uid" })
			world["Pod blue/web"] = made(onNode("n1"), signed, runsAs)
			if c.pod != nil {
				world["Pod blue/web"] = c.pod
			}
			request := &certificatesv1.PodCertificateRequest{Spec: good}
			if c.change != nil {
				c.change(&request.Spec)
			}
			a := Attributes{Operation: Create, Kind: kindOf("certificates.k8s.io", "podcertificaterequests"), Namespace: "blue", Name: "r", Object: request, User: aNode("n1")}
			if diff := cmp.Diff(c.want, verdict(NodeRestriction{Objects: world, Authz: c.may}, a)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNodeRestriction_OtherKinds(t *testing.T) {
	sized := func(change func(*corev1.PersistentVolumeClaim)) *corev1.PersistentVolumeClaim {
		return made(func(c *corev1.PersistentVolumeClaim) { c.Name = "c" }, change)
	}
	slice := func(node string) *resourcev1.ResourceSlice {
		return made(func(s *resourcev1.ResourceSlice) { s.Spec.NodeName = &node })
	}
	csr := func(cn string) *certificatesv1.CertificateSigningRequest {
		return made(func(r *certificatesv1.CertificateSigningRequest) {
			r.Spec.SignerName, r.Spec.Request = certificatesv1.KubeletServingSignerName, request(t, cn)
		})
	}
	leases, csinodes, slices, csrs, claims := kindOf("coordination.k8s.io", "leases"), kindOf("storage.k8s.io", "csinodes"),
		kindOf("resource.k8s.io", "resourceslices"), kindOf("certificates.k8s.io", "certificatesigningrequests"), kindOf("", "persistentvolumeclaims")
	for name, c := range map[string]struct {
		a    Attributes
		want string
	}{
		"its lease":                {Attributes{Kind: leases, Operation: Create, Namespace: "kube-node-lease", Name: "n1", Object: &coordinationv1.Lease{}}, ""},
		"another's lease":          {Attributes{Kind: leases, Operation: Update, Namespace: "kube-node-lease", Name: "n2"}, `leases.coordination.k8s.io "n2" is forbidden: can only access node lease with the same name as the requesting node`},
		"a lease elsewhere":        {Attributes{Kind: leases, Operation: Update, Namespace: "kube-system", Name: "n1"}, `leases.coordination.k8s.io "n1" is forbidden: can only access leases in the "kube-node-lease" system namespace`},
		"its CSINode":              {Attributes{Kind: csinodes, Operation: Create, Name: "n1"}, ""},
		"another's CSINode":        {Attributes{Kind: csinodes, Operation: Delete, Name: "n2"}, `csinodes.storage.k8s.io "n2" is forbidden: can only access CSINode with the same name as the requesting node`},
		"the status of a CSINode":  {Attributes{Kind: csinodes, Operation: Update, Subresource: "status", Name: "n1"}, `csinodes.storage.k8s.io "n1" is forbidden: CSIVolumeHealth feature gate is disabled`},
		"its slice":                {Attributes{Kind: slices, Operation: Create, Name: "s", Object: slice("n1")}, ""},
		"another's slice":          {Attributes{Kind: slices, Operation: Create, Name: "s", Object: slice("n2")}, `resourceslices.resource.k8s.io "s" is forbidden: can only create ResourceSlice with the same NodeName as the requesting node`},
		"deleting another's":       {Attributes{Kind: slices, Operation: Delete, Name: "s", Old: slice("n2")}, `resourceslices.resource.k8s.io "s" is forbidden: can only delete ResourceSlice with the same NodeName as the requesting node`},
		"a certificate of its own": {Attributes{Kind: csrs, Operation: Create, Name: "r", Object: csr("system:node:n1")}, ""},
		"another's certificate":    {Attributes{Kind: csrs, Operation: Create, Name: "r", Object: csr("system:node:n2")}, `certificatesigningrequests.certificates.k8s.io "r" is forbidden: can only create a node CSR with CN=system:node:n1`},
		"no request at all": {Attributes{Kind: csrs, Operation: Create, Name: "r", Object: &certificatesv1.CertificateSigningRequest{Spec: certificatesv1.CertificateSigningRequestSpec{SignerName: certificatesv1.KubeletServingSignerName}}},
			`certificatesigningrequests.certificates.k8s.io "r" is forbidden: unable to parse csr: PEM block type must be CERTIFICATE REQUEST`},
		"how large a volume is": {Attributes{Kind: claims, Operation: Update, Subresource: "status", Name: "c", Old: &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "c", ResourceVersion: "1"}},
			Object: sized(func(c *corev1.PersistentVolumeClaim) {
				c.Status.Capacity = corev1.ResourceList{"storage": resource.MustParse("1Gi")}
				c.Status.Conditions = make([]corev1.PersistentVolumeClaimCondition, 1)
			})}, ""},
		"a claim itself":     {Attributes{Kind: claims, Operation: Update, Name: "c"}, `persistentvolumeclaims "c" is forbidden: may only update PVC status`},
		"a kind of nobody's": {Attributes{Kind: kindOf("", "events"), Operation: Create, Name: "e"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.a.User = aNode("n1")
			if diff := cmp.Diff(c.want, verdict(NodeRestriction{Objects: theNode}, c.a)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNodeRestriction_ConcernsNodesOnly(t *testing.T) {
	a := Attributes{Operation: Update, Kind: kindOf("", "nodes"), Name: "n2"}
	for name, c := range map[string]struct {
		who  user.Info
		want string
	}{
		"a user":                          {&user.DefaultInfo{Name: "ann"}, ""},
		"a node's name without its group": {&user.DefaultInfo{Name: "system:node:n1"}, ""},
		"a node's group without a name":   {&user.DefaultInfo{Name: "n1", Groups: []string{"system:nodes"}}, ""},
		"a node without a name":           {&user.DefaultInfo{Name: "system:node:", Groups: []string{"system:nodes"}}, `nodes "n2" is forbidden: could not determine node from user "system:node:"`},
	} {
		t.Run(name, func(t *testing.T) {
			a.User = c.who
			if diff := cmp.Diff(c.want, verdict(NodeRestriction{Objects: theNode}, a)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func request(t *testing.T, cn string) []byte {
	t.Helper()
	return requestOf(t, pkix.Name{CommonName: cn})
}
