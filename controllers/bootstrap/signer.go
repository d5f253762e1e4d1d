package bootstrap

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"

	"coracle/controllers/loop"
)

// The ConfigMap that is signed, in kube-public.
const (
	infoName        = "cluster-info"
	infoKubeconfig  = "kubeconfig"
	signaturePrefix = "jws-kubeconfig-"
)

// Sign makes a detached JWS of content with the secret of the token of that id.
type Sign func(content, id, secret string) string

// Signer keeps the signatures in cluster-info as they should be: one for each token that may sign.
type Signer struct {
	client  kubernetes.Interface
	sign    Sign
	now     func() time.Time
	secrets corelisters.SecretNamespaceLister
	infos   corelisters.ConfigMapNamespaceLister
	loop    *loop.Loop[string] // infoName alone
}

// NewSigner makes one. Call it before the factory starts.
func NewSigner(client kubernetes.Interface, factory informers.SharedInformerFactory, sign Sign, now func() time.Time, log *slog.Logger) *Signer {
	core := factory.Core().V1()
	s := &Signer{
		client: client, sign: sign, now: now,
		secrets: core.Secrets().Lister().Secrets(metav1.NamespaceSystem),
		infos:   core.ConfigMaps().Lister().ConfigMaps(metav1.NamespacePublic),
	}
	s.loop = loop.New("bootstrap-signer", log, s.reconcile)
	loop.Watch(s.loop, core.ConfigMaps().Informer(), func(_, info *corev1.ConfigMap) {
		if info != nil && info.Namespace == metav1.NamespacePublic && info.Name == infoName {
			s.loop.Add(infoName)
		}
	})
	loop.Watch(s.loop, core.Secrets().Informer(), func(old, secret *corev1.Secret) {
		if isToken(cmp.Or(secret, old)) {
			s.loop.Add(infoName)
		}
	})
	return s
}

// Run runs the controller until ctx ends.
func (s *Signer) Run(ctx context.Context) error { return s.loop.Run(ctx, 1) }

func (s *Signer) reconcile(ctx context.Context, _ string) error {
	info, err := s.infos.Get(infoName)
	if err != nil {
		return nil // its event follows when somebody makes it
	}
	content := info.Data[infoKubeconfig]
	if content == "" {
		return nil
	}
	data := maps.Clone(info.Data)
	maps.DeleteFunc(data, func(key, _ string) bool { return strings.HasPrefix(key, signaturePrefix) })
	secrets, err := s.secrets.List(labels.Everything())
	if err != nil {
		return err
	}
	now := s.now()
	for _, secret := range secrets {
		if !isToken(secret) {
			continue
		}
		if id, value, ok := signs(secret, now); ok {
			data[signaturePrefix+id] = s.sign(content, id, value)
			if left, _ := remaining(secret, now); left > 0 {
				s.loop.AddAfter(infoName, left)
			}
		}
	}
	if maps.Equal(data, info.Data) {
		return nil
	}
	info = info.DeepCopy()
	info.Data = data
	_, err = s.client.CoreV1().ConfigMaps(info.Namespace).Update(ctx, info, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
