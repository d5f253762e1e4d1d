package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"coracle/apiserver/registry"
	"coracle/authn"
)

// lastUsed labels Secrets with the day on which their token was last used. The request that uses a token does not
// wait for that.
type lastUsed struct {
	log    *slog.Logger
	now    func() time.Time
	queue  chan tokenUse
	have   *registry.Registry
	client kubernetes.Interface // set before Run
}

type tokenUse struct {
	secret *corev1.Secret
	day    string
}

// usesKept is how many labels may wait to be written. Beyond that a day of a token goes unmarked.
const usesKept = 1024

func newLastUsed(config Config, have *registry.Registry) *lastUsed {
	return &lastUsed{log: config.Log, now: config.Now, have: have, queue: make(chan tokenUse, usesKept)}
}

func (u *lastUsed) note(secret *corev1.Secret, day string) {
	select {
	case u.queue <- tokenUse{secret, day}:
	default:
		u.log.Warn("a token's last use is not noted: too many are waiting", "namespace", secret.Namespace, "secret", secret.Name)
	}
}

// The ConfigMap in kube-system that says since which day uses are noted. Without it nobody could tell a token that was
// never used from one whose use was not noted.
const (
	trackingName = "kube-apiserver-legacy-service-account-token-tracking"
	trackingKey  = "since"
	// trackEvery is how often it is looked at: as often as kube-apiserver makes it again at most.
	trackEvery = 30 * time.Minute
)

// track makes the ConfigMap, or puts it right if it names no day.
func (u *lastUsed) track(ctx context.Context, client kubernetes.Interface) error {
	api := client.CoreV1().ConfigMaps(metav1.NamespaceSystem)
	today := u.now().UTC().Format(time.DateOnly)
	present, _ := u.have.Lookup(corev1.SchemeGroupVersion.WithKind("ConfigMap"), metav1.NamespaceSystem, trackingName).(*corev1.ConfigMap)
	var err error
	if present == nil {
		_, err = api.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: trackingName}, Data: map[string]string{trackingKey: today},
		}, metav1.CreateOptions{})
	} else if _, wrong := time.Parse(time.DateOnly, present.Data[trackingKey]); wrong != nil {
		present = present.DeepCopy()
		if present.Data == nil {
			present.Data = map[string]string{}
		}
		present.Data[trackingKey] = today
		_, err = api.Update(ctx, present, metav1.UpdateOptions{})
	}
	if apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil // somebody was quicker; see again later
	}
	return err
}

// Run writes labels until the context ends.
func (u *lastUsed) Run(ctx context.Context) error {
	tick := time.NewTicker(trackEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := u.track(ctx, u.client); err != nil && ctx.Err() == nil {
				u.log.Warn("the ConfigMap "+metav1.NamespaceSystem+"/"+trackingName+" cannot be written", "error", err)
			}
		case use := <-u.queue:
			// The UID sees to it that a Secret which was made anew is left alone.
			patch := fmt.Appendf(nil, `{"metadata":{"uid":%q,"labels":{%q:%q}}}`, use.secret.UID, authn.LabelLastUsed, use.day)
			_, err := u.client.CoreV1().Secrets(use.secret.Namespace).Patch(ctx, use.secret.Name, types.MergePatchType, patch, metav1.PatchOptions{})
			if err != nil && ctx.Err() == nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
				u.log.Warn("a token's last use cannot be noted", "namespace", use.secret.Namespace, "secret", use.secret.Name, "error", err)
			}
		}
	}
}
