package admission

import (
	"context"
	"fmt"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"

	"coracle/apiserver/authz"
	"coracle/rbac"
)

// serviceAccountToken: a node gets tokens only for the pods that it runs, which the token is bound to, and only for
// audiences that the pod asks for, or that a role grants with the verb request-serviceaccounts-token-audience.
func (p NodeRestriction) serviceAccountToken(ctx context.Context, me string, a *Attributes) error {
	if a.Operation != Create || a.Subresource != "token" {
		return nil
	}
	request, err := as[*authenticationv1.TokenRequest](a, a.Object)
	if err != nil {
		return err
	}
	ref := request.Spec.BoundObjectRef
	switch {
	case ref == nil || ref.APIVersion != "v1" || ref.Kind != "Pod" || ref.Name == "":
		return forbid(a, "node requested token not bound to a pod")
	case ref.UID == "":
		return forbid(a, "node requested token with a pod binding without a uid")
	}
	pod, err := p.findPod(a.Namespace, ref.Name)
	if err != nil {
		return err
	}
	switch {
	case ref.UID != pod.UID:
		return forbid(a, "the UID in the bound object reference (%s) does not match the UID in record. The object might have been deleted and then recreated", ref.UID)
	case pod.Spec.NodeName != me:
		return forbid(a, "node requested token bound to a pod scheduled on a different node")
	}
	if err := p.audience(ctx, a, request, pod); err != nil {
		return Forbidden(a, err)
	}
	return nil
}

func (p NodeRestriction) audience(ctx context.Context, a *Attributes, request *authenticationv1.TokenRequest, pod *corev1.Pod) error {
	wanted := ""
	switch asked := request.Spec.Audiences; len(asked) {
	case 0:
	case 1:
		wanted = asked[0]
	default:
		return fmt.Errorf("node may only request 0 or 1 audiences")
	}
	found, err := p.podAsksFor(pod, wanted)
	if err != nil {
		return fmt.Errorf("error validating audience %q: %w", wanted, err)
	}
	if found {
		return nil
	}
	answer := p.may(ctx, a, "request-serviceaccounts-token-audience", wanted, a.Name)
	switch {
	case answer.Verdict == authz.Allow:
		return nil
	case answer.Err != nil:
		return fmt.Errorf("error authorizing %s to request tokens for audience %q: %w", a.User.GetName(), wanted, answer.Err)
	}
	return fmt.Errorf("%s is not authorized to request tokens for audience %q", a.User.GetName(), wanted)
}

// may asks whether the node has a permission by role. The resource stands for no object: it is the thing asked for.
func (p NodeRestriction) may(ctx context.Context, a *Attributes, verb, resource, name string) authz.Answer {
	return authz.Further(ctx, p.Authz, &rbac.Attributes{
		User: a.User, Verb: verb, ResourceRequest: true,
		APIGroup: a.Kind.Group, APIVersion: a.Kind.Version, Resource: resource, Namespace: a.Namespace, Name: name,
	})
}

// podAsksFor tells whether a volume of the pod needs a token for the audience: projected into it, or
// given to the CSI driver that mounts it.
func (p NodeRestriction) podAsksFor(pod *corev1.Pod, audience string) (bool, error) {
	var errs []error
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		if v.Projected != nil {
			for _, s := range v.Projected.Sources {
				if s.ServiceAccountToken != nil && s.ServiceAccountToken.Audience == audience {
					return true, nil
				}
			}
		}
		driver, err := p.driverOf(pod, v)
		if err == nil && driver != "" {
			var found bool
			if found, err = p.driverAsksFor(driver, audience); found {
				return true, nil
			}
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	return false, utilerrors.NewAggregate(errs)
}

// driverOf is the CSI driver that mounts a volume, "" for none.
func (p NodeRestriction) driverOf(pod *corev1.Pod, v *corev1.Volume) (string, error) {
	switch {
	case v.Ephemeral != nil && v.Ephemeral.VolumeClaimTemplate != nil:
		return p.driverOfClaim(pod.Namespace, pod.Name+"-"+v.Name)
	case v.PersistentVolumeClaim != nil:
		return p.driverOfClaim(pod.Namespace, v.PersistentVolumeClaim.ClaimName)
	case v.CSI != nil:
		return v.CSI.Driver, nil
	}
	return migrated(v.AWSElasticBlockStore != nil, v.AzureDisk != nil, v.AzureFile != nil, v.GCEPersistentDisk != nil,
		v.Cinder != nil, v.PortworxVolume != nil, v.VsphereVolume != nil), nil
}

func (p NodeRestriction) driverOfClaim(namespace, name string) (string, error) {
	core := corev1.SchemeGroupVersion
	claim, err := find[*corev1.PersistentVolumeClaim](p.Objects, core.WithKind("PersistentVolumeClaim"), "persistentvolumeclaim", namespace, name)
	if err != nil {
		return "", err
	}
	volume, err := find[*corev1.PersistentVolume](p.Objects, core.WithKind("PersistentVolume"), "persistentvolume", "", claim.Spec.VolumeName)
	if err != nil {
		return "", err
	}
	s := &volume.Spec.PersistentVolumeSource
	if s.CSI != nil {
		return s.CSI.Driver, nil
	}
	return migrated(s.AWSElasticBlockStore != nil, s.AzureDisk != nil, s.AzureFile != nil, s.GCEPersistentDisk != nil,
		s.Cinder != nil, s.PortworxVolume != nil, s.VsphereVolume != nil), nil
}

// migrated names the driver that has taken over a kind of volume that Kubernetes once mounted itself.
// Source: k8s.io/csi-translation-lib/plugins.
func migrated(aws, azureDisk, azureFile, gce, cinder, portworx, vsphere bool) string {
	switch {
	case aws:
		return "ebs.csi.aws.com"
	case azureDisk:
		return "disk.csi.azure.com"
	case azureFile:
		return "file.csi.azure.com"
	case gce:
		return "pd.csi.storage.gke.io"
	case cinder:
		return "cinder.csi.openstack.org"
	case portworx:
		return "pxd.portworx.com"
	case vsphere:
		return "csi.vsphere.vmware.com"
	}
	return ""
}

func (p NodeRestriction) driverAsksFor(name, audience string) (bool, error) {
	driver, err := find[*storagev1.CSIDriver](p.Objects, storagev1.SchemeGroupVersion.WithKind("CSIDriver"), "csidriver", "", name)
	if err != nil {
		return false, err
	}
	for _, r := range driver.Spec.TokenRequests {
		if r.Audience == audience {
			return true, nil
		}
	}
	return false, nil
}

// podCertificate: a node gets certificates only for the pods that it runs, in the name of the account that they run
// as, from a signer that the pod names. What may be explained by the node being ahead of the server is no refusal:
// the node tries again.
func (p NodeRestriction) podCertificate(ctx context.Context, me string, a *Attributes) error {
	switch {
	case a.Operation != Create:
		return forbid(a, "unexpected operation %v", a.Operation)
	case a.Subresource != "":
		return forbid(a, "unexpected subresource %v", a.Subresource)
	}
	request, err := as[*certificatesv1.PodCertificateRequest](a, a.Object)
	if err != nil {
		return err
	}
	want := &request.Spec
	if string(want.NodeName) != me {
		return forbid(a, "PodCertificateRequest.Spec.NodeName=%q, which is not the requesting node %q", want.NodeName, me)
	}
	is, err := p.findNode(me)
	if err != nil {
		return fmt.Errorf("while retrieving node %q named in the PodCertificateRequest: %w", want.NodeName, err)
	}
	podName, accountName := a.Namespace+"/"+want.PodName, a.Namespace+"/"+want.ServiceAccountName
	if is.UID != want.NodeUID {
		return fmt.Errorf("PodCertificateRequest for pod %q names node UID %q, inconsistent with the running node (%q)", podName, want.NodeUID, is.UID)
	}
	pod, err := p.findPod(a.Namespace, want.PodName)
	if err != nil {
		return fmt.Errorf("while retrieving pod %q named in the PodCertificateRequest: %w", podName, err)
	}
	if want.PodUID != pod.UID {
		return fmt.Errorf("PodCertificateRequest for pod %q contains pod UID (%q) which differs from running pod %q", podName, want.PodUID, string(pod.UID))
	}
	if pod.Spec.NodeName != me {
		return forbid(a, "pod %q is not running on node %q named in the PodCertificateRequest", podName, want.NodeName)
	}
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		return forbid(a, "pod %q is a mirror pod", podName)
	}
	if want.ServiceAccountName != pod.Spec.ServiceAccountName {
		return forbid(a, "PodCertificateRequest for pod %q contains serviceAccountName (%q) that differs from running pod (%q)", podName, want.ServiceAccountName, pod.Spec.ServiceAccountName)
	}
	account, err := find[*corev1.ServiceAccount](p.Objects, corev1.SchemeGroupVersion.WithKind("ServiceAccount"), "serviceaccount", a.Namespace, want.ServiceAccountName)
	if err != nil {
		return fmt.Errorf("while retrieving service account %q named in the PodCertificateRequest: %w", accountName, err)
	}
	if want.ServiceAccountUID != account.UID {
		return fmt.Errorf("PodCertificateRequest for pod %q names service account UID %q, which differs from the running service account (%q)", podName, want.ServiceAccountUID, account.UID)
	}
	if err := p.signer(ctx, a, request, pod); err != nil {
		return Forbidden(a, err)
	}
	return nil
}

func (p NodeRestriction) signer(ctx context.Context, a *Attributes, request *certificatesv1.PodCertificateRequest, pod *corev1.Pod) error {
	signer := request.Spec.SignerName
	for i := range pod.Spec.Volumes {
		if projected := pod.Spec.Volumes[i].Projected; projected != nil {
			for _, s := range projected.Sources {
				if s.PodCertificate != nil && s.PodCertificate.SignerName == signer {
					return nil
				}
			}
		}
	}
	// A resource in a rule cannot have a slash that is not a subresource's: as for the names of ClusterTrustBundles.
	answer := p.may(ctx, a, "request-serviceaccounts-podcertificate-signer", strings.ReplaceAll(signer, "/", ":"), request.Spec.ServiceAccountName)
	switch {
	case answer.Verdict == authz.Allow:
		return nil
	case answer.Err != nil:
		return fmt.Errorf("error authorizing %s to request podcertificaterequests for signer %q: %w", a.User.GetName(), signer, answer.Err)
	}
	return fmt.Errorf("pod %q does not mount a podCertificate projected volume for signer %q", a.Namespace+"/"+request.Spec.PodName, signer)
}
