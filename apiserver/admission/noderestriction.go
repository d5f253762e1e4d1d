package admission

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	storagev1 "k8s.io/api/storage/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/diff"

	"coracle/apiserver/authz"
	"coracle/apiserver/authz/node"
	"coracle/rbac"
)

// Objects finds an object of any kind, nil when there is none.
type Objects interface {
	Lookup(gvk schema.GroupVersionKind, namespace, name string) runtime.Object
}

// Authorizer is asked what else somebody may do.
type Authorizer interface {
	Ask(ctx context.Context, a *rbac.Attributes) authz.Answer
}

// NodeRestriction: a node writes its own Node, Lease and CSINode, and the pods bound to it, and of those only what a
// kubelet has to write. It cannot give itself labels under node-restriction.kubernetes.io/, change its taints, or get
// tokens for other pods than those that it runs: whoever takes over one machine has that machine, not the cluster.
// What a node may ask for at all is the node authorizer's to say; here the objects can be seen.
//
// Source: k8s.io/kubernetes/plugin/pkg/admission/noderestriction, with the feature gates that v1.37 has on by default.
type NodeRestriction struct {
	Objects Objects
	Authz   Authorizer
}

// Name returns NodeRestriction.
func (NodeRestriction) Name() string { return "NodeRestriction" }

// Mutate refuses; it changes nothing. It comes before the plugins whose changes a node's objects must not need.
func (p NodeRestriction) Mutate(ctx context.Context, a *Attributes) error {
	me, isNode := node.Identity(a.User)
	if !isNode || a.Operation == Connect {
		return nil
	}
	if me == "" {
		return Forbidden(a, fmt.Errorf("could not determine node from user %q", a.User.GetName()))
	}
	switch a.Kind.Qualified() {
	case corev1.Resource("pods"):
		return p.pod(me, a)
	case corev1.Resource("nodes"):
		return nodeObject(me, a)
	case corev1.Resource("persistentvolumeclaims"):
		return claim(me, a)
	case corev1.Resource("serviceaccounts"):
		return p.serviceAccountToken(ctx, me, a)
	case certificatesv1.Resource("podcertificaterequests"):
		return p.podCertificate(ctx, me, a)
	case coordinationv1.SchemeGroupVersion.WithResource("leases").GroupResource():
		return lease(me, a)
	case storagev1.Resource("csinodes"):
		return csiNode(me, a)
	case resourcev1.SchemeGroupVersion.WithResource("resourceslices").GroupResource():
		return resourceSlice(me, a)
	case certificatesv1.Resource("certificatesigningrequests"):
		return signingRequest(me, a)
	}
	return nil
}

// forbid is a refusal in upstream's words.
func forbid(a *Attributes, format string, args ...any) error {
	return Forbidden(a, fmt.Errorf(format, args...))
}

// as is an object of the type that a rule is about, or the refusal of any other.
func as[T runtime.Object](a *Attributes, obj runtime.Object) (T, error) {
	typed, ok := obj.(T)
	if !ok {
		return typed, forbid(a, "unexpected type %T", obj)
	}
	return typed, nil
}

// find looks up an object that a rule depends on. That it is missing is told as upstream's listers do.
func find[T runtime.Object](objects Objects, gvk schema.GroupVersionKind, lister, namespace, name string) (T, error) {
	typed, ok := objects.Lookup(gvk, namespace, name).(T)
	if !ok {
		return typed, apierrors.NewNotFound(schema.GroupResource{Group: gvk.Group, Resource: lister}, name)
	}
	return typed, nil
}

func (p NodeRestriction) findPod(namespace, name string) (*corev1.Pod, error) {
	return find[*corev1.Pod](p.Objects, corev1.SchemeGroupVersion.WithKind("Pod"), "pod", namespace, name)
}

func (p NodeRestriction) findNode(name string) (*corev1.Node, error) {
	return find[*corev1.Node](p.Objects, corev1.SchemeGroupVersion.WithKind("Node"), "node", "", name)
}

// claim lets a node say how large a volume has become, and nothing else.
func claim(me string, a *Attributes) error {
	if a.Subresource != "status" {
		return forbid(a, "may only update PVC status")
	}
	if a.Operation != Update {
		return forbid(a, "unexpected operation %q", a.Operation)
	}
	old, err := as[*corev1.PersistentVolumeClaim](a, a.Old)
	if err != nil {
		return err
	}
	changed, err := as[*corev1.PersistentVolumeClaim](a, a.Object)
	if err != nil {
		return err
	}
	old, changed = old.DeepCopy(), changed.DeepCopy()
	for _, c := range []*corev1.PersistentVolumeClaim{old, changed} {
		c.ResourceVersion, c.ManagedFields = "", nil
		c.Status.Capacity, c.Status.Conditions = nil, nil
		c.Status.AllocatedResourceStatuses, c.Status.AllocatedResources = nil, nil
	}
	if !apiequality.Semantic.DeepEqual(old, changed) {
		return forbid(a, "node %q is not allowed to update fields other than status.quantity and status.conditions: %v", me, diff.Diff(old, changed))
	}
	return nil
}

// lease: a node's heartbeat is its own.
func lease(me string, a *Attributes) error {
	if a.Namespace != corev1.NamespaceNodeLease {
		return forbid(a, "can only access leases in the %q system namespace", corev1.NamespaceNodeLease)
	}
	if a.Name != me {
		return forbid(a, "can only access node lease with the same name as the requesting node")
	}
	return nil
}

func csiNode(me string, a *Attributes) error {
	switch {
	case a.Name != me:
		return forbid(a, "can only access CSINode with the same name as the requesting node")
	case a.Subresource == "status":
		return forbid(a, "CSIVolumeHealth feature gate is disabled")
	}
	return nil
}

// resourceSlice: the authorizer sees neither a new slice nor each of a collection that is deleted.
func resourceSlice(me string, a *Attributes) error {
	obj, verb := a.Object, "create"
	switch a.Operation {
	case Create:
	case Delete:
		obj, verb = a.Old, "delete"
	default:
		return nil
	}
	slice, err := as[*resourcev1.ResourceSlice](a, obj)
	if err != nil {
		return err
	}
	if slice.Spec.NodeName == nil || *slice.Spec.NodeName != me {
		return forbid(a, "can only %s ResourceSlice with the same NodeName as the requesting node", verb)
	}
	return nil
}

// signingRequest: a node asks for certificates in its own name only.
func signingRequest(me string, a *Attributes) error {
	if a.Operation != Create {
		return nil
	}
	csr, err := as[*certificatesv1.CertificateSigningRequest](a, a.Object)
	if err != nil {
		return err
	}
	switch csr.Spec.SignerName {
	case certificatesv1.KubeletServingSignerName, certificatesv1.KubeAPIServerClientKubeletSignerName:
	default:
		return nil
	}
	request, err := parseRequest(csr.Spec.Request)
	if err != nil {
		return forbid(a, "unable to parse csr: %w", err)
	}
	if request.Subject.CommonName != "system:node:"+me {
		return forbid(a, "can only create a node CSR with CN=system:node:%s", me)
	}
	return nil
}

func parseRequest(text []byte) (*x509.CertificateRequest, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, errors.New("PEM block type must be CERTIFICATE REQUEST")
	}
	return x509.ParseCertificateRequest(block.Bytes)
}
