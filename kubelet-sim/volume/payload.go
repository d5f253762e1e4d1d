package volume

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"

	"coracle/kubelet-sim/downward"
	"coracle/kubelet-sim/podcertificate"
)

// Sources are where contents come from. An object that does not exist is a NotFound error.
type Sources interface {
	Secret(ctx context.Context, namespace, name string) (*corev1.Secret, error)
	ConfigMap(ctx context.Context, namespace, name string) (*corev1.ConfigMap, error)
	// TrustAnchors are the certificates that a clusterTrustBundle source selects, PEM; empty if it is optional and there are none.
	TrustAnchors(ctx context.Context, source *corev1.ClusterTrustBundleProjection) ([]byte, error)
	// PodCertificate answers for the index-th source of a volume; refresh is when to ask again.
	PodCertificate(ctx context.Context, pod *corev1.Pod, volume string, index int, source *corev1.PodCertificateProjection) (credential podcertificate.Credential, refresh time.Time, err error)
	// Token answers for a service account of the namespace; refresh is when to ask again.
	Token(ctx context.Context, namespace, account string, request *authv1.TokenRequest) (token string, refresh time.Time, err error)
}

// payload collects what one volume is to contain.
type payload struct {
	pod     *corev1.Pod
	volume  string // its name
	node    downward.Node
	sources Sources
	mode    *int32
	files   Files
	refresh time.Time // the earliest time at which contents grow stale by themselves, zero for never
}

func (p *payload) modeOr(own *int32) fs.FileMode {
	switch {
	case own != nil:
		return fs.FileMode(*own)
	case p.mode != nil:
		return fs.FileMode(*p.mode)
	}
	return 0o644 // what defaulting says for every kind of volume
}

func (p *payload) secret(ctx context.Context, name string, items []corev1.KeyToPath, optional *bool) error {
	secret, err := p.sources.Secret(ctx, p.pod.Namespace, name)
	if missing(err, optional) {
		secret = &corev1.Secret{}
	} else if err != nil {
		return err
	}
	return p.pick(secret.Data, items, optional, "references non-existent secret key: %s")
}

func (p *payload) configMap(ctx context.Context, name string, items []corev1.KeyToPath, optional *bool) error {
	configMap, err := p.sources.ConfigMap(ctx, p.pod.Namespace, name)
	if missing(err, optional) {
		configMap = &corev1.ConfigMap{}
	} else if err != nil {
		return err
	}
	data := make(map[string][]byte, len(configMap.Data)+len(configMap.BinaryData))
	maps.Copy(data, configMap.BinaryData)
	for key, value := range configMap.Data {
		data[key] = []byte(value)
	}
	return p.pick(data, items, optional, "configmap references non-existent config key: %s")
}

// pick takes all keys, or the items where there are any.
func (p *payload) pick(data map[string][]byte, items []corev1.KeyToPath, optional *bool, absent string) error {
	if len(items) == 0 {
		for key, value := range data {
			p.files[key] = File{Data: value, Mode: p.modeOr(nil)}
		}
		return nil
	}
	for _, item := range items {
		value, ok := data[item.Key]
		if ok {
			p.files[item.Path] = File{Data: value, Mode: p.modeOr(item.Mode)}
		} else if optional == nil || !*optional {
			return fmt.Errorf(absent, item.Key)
		}
	}
	return nil
}

func (p *payload) downwardAPI(items []corev1.DownwardAPIVolumeFile) error {
	var errs []error
	for _, item := range items {
		var value string
		var err error
		switch {
		case item.FieldRef != nil:
			value, err = downward.Field(p.pod, p.node, item.FieldRef.FieldPath)
		case item.ResourceFieldRef != nil:
			value, err = downward.Resource(p.pod, p.node, "", item.ResourceFieldRef)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		p.files[path.Clean(item.Path)] = File{Data: []byte(value), Mode: p.modeOr(item.Mode)}
	}
	return utilerrors.NewAggregate(errs)
}

func (p *payload) projected(ctx context.Context, sources []corev1.VolumeProjection) error {
	var errs []error
	for i, source := range sources {
		var err error
		switch {
		case source.Secret != nil:
			err = p.secret(ctx, source.Secret.Name, source.Secret.Items, source.Secret.Optional)
		case source.ConfigMap != nil:
			err = p.configMap(ctx, source.ConfigMap.Name, source.ConfigMap.Items, source.ConfigMap.Optional)
		case source.DownwardAPI != nil:
			err = p.downwardAPI(source.DownwardAPI.Items)
		case source.ServiceAccountToken != nil:
			err = p.token(ctx, source.ServiceAccountToken)
		case source.ClusterTrustBundle != nil:
			err = p.trustBundle(ctx, source.ClusterTrustBundle)
		case source.PodCertificate != nil:
			err = p.certificate(ctx, i, source.PodCertificate)
		default:
			err = errors.New("this kind of projected source is not simulated")
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	return utilerrors.NewAggregate(errs)
}

// token asks for a token that is bound to the pod: it dies with the pod, whatever time it has left.
func (p *payload) token(ctx context.Context, source *corev1.ServiceAccountTokenProjection) error {
	request := &authv1.TokenRequest{Spec: authv1.TokenRequestSpec{
		ExpirationSeconds: source.ExpirationSeconds,
		BoundObjectRef:    &authv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: p.pod.Name, UID: p.pod.UID},
	}}
	if source.Audience != "" {
		request.Spec.Audiences = []string{source.Audience}
	}
	token, refresh, err := p.sources.Token(ctx, p.pod.Namespace, p.pod.Spec.ServiceAccountName, request)
	if err != nil {
		return err
	}
	p.refreshAt(refresh)
	p.files[source.Path] = File{Data: []byte(token), Mode: p.ownMode()}
	return nil
}

func (p *payload) trustBundle(ctx context.Context, source *corev1.ClusterTrustBundleProjection) error {
	anchors, err := p.sources.TrustAnchors(ctx, source)
	if err != nil {
		return err
	}
	p.files[source.Path] = File{Data: anchors, Mode: p.ownMode()}
	return nil
}

func (p *payload) certificate(ctx context.Context, index int, source *corev1.PodCertificateProjection) error {
	credential, refresh, err := p.sources.PodCertificate(ctx, p.pod, p.volume, index, source)
	if err != nil {
		return err
	}
	p.refreshAt(refresh)
	for path, data := range map[string][]byte{
		source.CredentialBundlePath: slices.Concat(credential.Key, credential.Chain),
		source.KeyPath:              credential.Key,
		source.CertificateChainPath: credential.Chain,
	} {
		if path != "" {
			p.files[path] = File{Data: data, Mode: p.ownMode()}
		}
	}
	return nil
}

func (p *payload) refreshAt(t time.Time) {
	if !t.IsZero() && (p.refresh.IsZero() || t.Before(p.refresh)) {
		p.refresh = t
	}
}

// ownMode is the mode of what identifies the pod, or whom it trusts: its user's alone, if it has one.
func (p *payload) ownMode() fs.FileMode {
	if fsGroup(p.pod) != nil || singleUser(p.pod) {
		return 0o600
	}
	return p.modeOr(nil)
}

func missing(err error, optional *bool) bool {
	return apierrors.IsNotFound(err) && optional != nil && *optional
}

func fsGroup(pod *corev1.Pod) *int64 {
	if pod.Spec.SecurityContext == nil {
		return nil
	}
	return pod.Spec.SecurityContext.FSGroup
}

// singleUser tells whether all containers run as one known user: then a token can be theirs alone.
// Source: k8s.io/kubernetes/pkg/volume/util.FsUserFrom.
func singleUser(pod *corev1.Pod) bool {
	var user *int64
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			own := runAsUser(pod, &list[i])
			if own == nil || user != nil && *user != *own {
				return false
			}
			user = own
		}
	}
	return user != nil
}

func runAsUser(pod *corev1.Pod, container *corev1.Container) *int64 {
	if container.SecurityContext != nil && container.SecurityContext.RunAsUser != nil {
		return container.SecurityContext.RunAsUser
	}
	if pod.Spec.SecurityContext != nil {
		return pod.Spec.SecurityContext.RunAsUser
	}
	return nil
}
