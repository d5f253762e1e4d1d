package cluster

import (
	"context"
	"fmt"
	"log/slog"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"coracle/authn"
)

// lastUsed labels Secrets with the day on which their token was last used. The request that uses a token does not
// wait for that.
type lastUsed struct {
	log    *slog.Logger
	queue  chan tokenUse
	client kubernetes.Interface // set before Run
}

type tokenUse struct {
	secret *corev1.Secret
	day    string
}

// usesKept is how many labels may wait to be written. Beyond that a day of a token goes unmarked.
const usesKept = 1024

func newLastUsed(log *slog.Logger) *lastUsed {
	return &lastUsed{log: log, queue: make(chan tokenUse, usesKept)}
}

func (u *lastUsed) note(secret *corev1.Secret, day string) {
	select {
	case u.queue <- tokenUse{secret, day}:
	default:
		u.log.Warn("a token's last use is not noted: too many are waiting", "namespace", secret.Namespace, "secret", secret.Name)
	}
}

// Run writes labels until the context ends.
func (u *lastUsed) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
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
