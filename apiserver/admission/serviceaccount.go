package admission

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/storage/names"
)

// Era says how pods get their token.
type Era string

const (
	// Classic: pods mount the Secret that holds their account's token (Kubernetes up to 1.23).
	Classic Era = "classic"
	// Modern: pods get a projected volume with a bound, expiring token (1.24 and later).
	Modern Era = "modern"
)

// ServiceAccounts finds accounts and Secrets, nil when there is none.
type ServiceAccounts interface {
	ServiceAccount(namespace, name string) *corev1.ServiceAccount
	Secret(namespace, name string) *corev1.Secret
}

// ServiceAccount: a pod runs as a service account, `default` where it names none. The account must exist.
// Its token is mounted into every container unless the pod, or else the account, opts out with
// automountServiceAccountToken: the pod's word wins.
// Source: k8s.io/kubernetes/plugin/pkg/admission/serviceaccount.
type ServiceAccount struct {
	Accounts ServiceAccounts
	Era      Era
}

const (
	defaultAccount    = "default"
	tokenMountPath    = "/var/run/secrets/kubernetes.io/serviceaccount"
	tokenVolume       = "kube-api-access"
	enforceMountable  = "kubernetes.io/enforce-mountable-secrets"
	boundTokenSeconds = 60*60 + 7 // an hour, and 7 to tell these tokens from those that were asked to live an hour
	accountPatience   = 2 * time.Second
)

// Name returns ServiceAccount.
func (*ServiceAccount) Name() string { return "ServiceAccount" }

func podOf(a *Attributes) (*corev1.Pod, bool) {
	if a.Operation != Create || !a.Is(schema.GroupResource{Resource: "pods"}) {
		return nil, false
	}
	pod, ok := a.Object.(*corev1.Pod)
	return pod, ok
}

// Mutate gives the pod its account, its account's pull secrets and its token.
func (p *ServiceAccount) Mutate(ctx context.Context, a *Attributes) error {
	pod, ok := podOf(a)
	if !ok {
		return nil
	}
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		return p.Validate(ctx, a)
	}
	if pod.Spec.ServiceAccountName == "" {
		pod.Spec.ServiceAccountName = defaultAccount
		pod.Spec.DeprecatedServiceAccount = defaultAccount
		a.Changed("spec.serviceAccountName: %s", defaultAccount)
	}
	account, err := p.find(ctx, a, pod.Spec.ServiceAccountName)
	if err != nil {
		return err
	}
	if automount(account, pod) {
		if err := p.mountToken(ctx, a, account, pod); err != nil {
			return err
		}
	}
	if len(pod.Spec.ImagePullSecrets) == 0 && len(account.ImagePullSecrets) > 0 {
		pod.Spec.ImagePullSecrets = append(pod.Spec.ImagePullSecrets, account.ImagePullSecrets...)
		a.Changed("spec.imagePullSecrets: those of the account")
	}
	return p.Validate(ctx, a)
}

// Validate refuses pods whose account is missing, and secrets that an account does not list
// where it asks for that check.
func (p *ServiceAccount) Validate(ctx context.Context, a *Attributes) error {
	pod, ok := podOf(a)
	if !ok {
		return nil
	}
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		return validateMirror(a, pod)
	}
	if pod.Spec.ServiceAccountName == "" {
		return Forbidden(a, fmt.Errorf("no service account specified for pod %s/%s", a.Namespace, pod.Name))
	}
	account, err := p.find(ctx, a, pod.Spec.ServiceAccountName)
	if err != nil {
		return err
	}
	if account.Annotations[enforceMountable] == "true" {
		if err := mountableOnly(account, pod); err != nil {
			return Forbidden(a, err)
		}
	}
	return nil
}

func validateMirror(a *Attributes, pod *corev1.Pod) error {
	if pod.Spec.ServiceAccountName != "" {
		return Forbidden(a, errors.New("a mirror pod may not reference service accounts"))
	}
	for _, v := range pod.Spec.Volumes {
		if v.Secret != nil {
			return Forbidden(a, errors.New("a mirror pod may not reference secrets"))
		}
		if v.Projected == nil {
			continue
		}
		for _, s := range v.Projected.Sources {
			if s.ServiceAccountToken != nil {
				return Forbidden(a, errors.New("a mirror pod may not use ServiceAccountToken volume projections"))
			}
		}
	}
	return nil
}

// find looks an account up. The default account of a new namespace is on its way: it is waited for.
func (p *ServiceAccount) find(ctx context.Context, a *Attributes, name string) (*corev1.ServiceAccount, error) {
	account := p.Accounts.ServiceAccount(a.Namespace, name)
	if account == nil && name == defaultAccount {
		waitFor(ctx, accountPatience, func() bool {
			account = p.Accounts.ServiceAccount(a.Namespace, name)
			return account != nil
		})
	}
	if account == nil {
		return nil, Forbidden(a, fmt.Errorf("error looking up service account %s/%s: %w", a.Namespace, name,
			apierrors.NewNotFound(schema.GroupResource{Resource: "serviceaccount"}, name)))
	}
	return account, nil
}

func automount(account *corev1.ServiceAccount, pod *corev1.Pod) bool {
	switch {
	case pod.Spec.AutomountServiceAccountToken != nil:
		return *pod.Spec.AutomountServiceAccountToken
	case account.AutomountServiceAccountToken != nil:
		return *account.AutomountServiceAccountToken
	}
	return true
}

// mountToken adds the token's volume, and mounts it wherever a container has nothing at that path.
func (p *ServiceAccount) mountToken(ctx context.Context, a *Attributes, account *corev1.ServiceAccount, pod *corev1.Pod) error {
	var volume corev1.Volume
	switch p.Era {
	case Classic:
		secret, err := p.tokenSecret(ctx, account)
		if err != nil {
			return err
		}
		volume = secretVolume(secret, pod)
	default:
		volume = projectedVolume(pod)
	}
	mount := corev1.VolumeMount{Name: volume.Name, ReadOnly: true, MountPath: tokenMountPath}
	mounted := mountInto(pod.Spec.InitContainers, mount)
	if mountInto(pod.Spec.Containers, mount) {
		mounted = true
	}
	if mounted && !hasVolume(pod, volume.Name) {
		pod.Spec.Volumes = append(pod.Spec.Volumes, volume)
	}
	if mounted {
		a.Changed("spec.volumes: %s, mounted at %s", volume.Name, tokenMountPath)
	}
	return nil
}

func mountInto(containers []corev1.Container, mount corev1.VolumeMount) bool {
	mounted := false
containers:
	for i := range containers {
		for _, m := range containers[i].VolumeMounts {
			if m.MountPath == mount.MountPath {
				continue containers
			}
		}
		containers[i].VolumeMounts = append(containers[i].VolumeMounts, mount)
		mounted = true
	}
	return mounted
}

func hasVolume(pod *corev1.Pod, name string) bool {
	for _, v := range pod.Spec.Volumes {
		if v.Name == name {
			return true
		}
	}
	return false
}

// tokenSecret finds the account's token Secret among those it lists. It is minted by a controller,
// so that of a new account is waited for; then the client is told to try again, as upstream did.
func (p *ServiceAccount) tokenSecret(ctx context.Context, account *corev1.ServiceAccount) (string, error) {
	var name string
	find := func() bool {
		current := p.Accounts.ServiceAccount(account.Namespace, account.Name)
		if current == nil {
			return false
		}
		for _, ref := range current.Secrets {
			s := p.Accounts.Secret(account.Namespace, ref.Name)
			if s != nil && s.Type == corev1.SecretTypeServiceAccountToken && len(s.Data[corev1.ServiceAccountTokenKey]) > 0 &&
				s.Annotations[corev1.ServiceAccountUIDKey] == string(current.UID) {
				name = s.Name
				return true
			}
		}
		return false
	}
	if waitFor(ctx, accountPatience, find) {
		return name, nil
	}
	err := apierrors.NewServerTimeout(schema.GroupResource{Resource: "serviceaccounts"}, "create pods", 1)
	err.ErrStatus.Message = fmt.Sprintf("No API token found for service account %q, retry after the token is automatically created and added to the service account", account.Name)
	return "", err
}

func secretVolume(secret string, pod *corev1.Pod) corev1.Volume {
	name := secret
	for _, v := range pod.Spec.Volumes {
		if v.Secret != nil && v.Secret.SecretName == secret {
			return v
		}
		if v.Name == secret {
			name = names.SimpleNameGenerator.GenerateName(secret + "-")
		}
	}
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{
		SecretName:  secret,
		DefaultMode: new(corev1.SecretVolumeSourceDefaultMode),
	}}}
}

func projectedVolume(pod *corev1.Pod) corev1.Volume {
	for _, v := range pod.Spec.Volumes {
		if strings.HasPrefix(v.Name, tokenVolume+"-") {
			return v
		}
	}
	return corev1.Volume{
		Name: names.SimpleNameGenerator.GenerateName(tokenVolume + "-"),
		VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			DefaultMode: new(corev1.ProjectedVolumeSourceDefaultMode),
			Sources: []corev1.VolumeProjection{
				{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
					Path: "token", ExpirationSeconds: new(int64(boundTokenSeconds)),
				}},
				{ConfigMap: &corev1.ConfigMapProjection{
					LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"},
					Items:                []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}},
				}},
				{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{
					Path:     "namespace",
					FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.namespace"},
				}}}},
			},
		}},
	}
}

// mountableOnly holds a pod to the Secrets that its account lists.
func mountableOnly(account *corev1.ServiceAccount, pod *corev1.Pod) error {
	listed := map[string]bool{}
	for _, s := range account.Secrets {
		listed[s.Name] = true
	}
	for _, v := range pod.Spec.Volumes {
		if v.Secret != nil && !listed[v.Secret.SecretName] {
			return fmt.Errorf("volume with secret.secretName=%q is not allowed because service account %s does not reference that secret", v.Secret.SecretName, account.Name)
		}
	}
	for _, set := range []struct {
		what       string
		containers []corev1.Container
	}{{"init container", pod.Spec.InitContainers}, {"container", pod.Spec.Containers}} {
		for _, c := range set.containers {
			for _, e := range c.Env {
				if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil && !listed[e.ValueFrom.SecretKeyRef.Name] {
					return fmt.Errorf("%s %s with envVar %s referencing secret.secretName=%q is not allowed because service account %s does not reference that secret", set.what, c.Name, e.Name, e.ValueFrom.SecretKeyRef.Name, account.Name)
				}
			}
			for _, e := range c.EnvFrom {
				if e.SecretRef != nil && !listed[e.SecretRef.Name] {
					return fmt.Errorf("%s %s with envFrom referencing secret.secretName=%q is not allowed because service account %s does not reference that secret", set.what, c.Name, e.SecretRef.Name, account.Name)
				}
			}
		}
	}
	pull := map[string]bool{}
	for _, s := range account.ImagePullSecrets {
		pull[s.Name] = true
	}
	for i, s := range pod.Spec.ImagePullSecrets {
		if !pull[s.Name] {
			return fmt.Errorf("imagePullSecrets[%d].name=%q is not allowed because service account %s does not reference that imagePullSecret", i, s.Name, account.Name)
		}
	}
	return nil
}
