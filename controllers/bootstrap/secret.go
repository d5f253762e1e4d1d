package bootstrap

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The Secret of a token (k8s.io/cluster-bootstrap/token/api).
const (
	secretType      corev1.SecretType = "bootstrap.kubernetes.io/token"
	namePrefix      string            = "bootstrap-token-" // of its name, before the token's id
	fieldID         string            = "token-id"
	fieldSecret     string            = "token-secret"
	fieldExpiration string            = "expiration"
	fieldSigning    string            = "usage-bootstrap-signing"
)

// isToken tells whether a Secret is a bootstrap token's.
func isToken(secret *corev1.Secret) bool {
	return secret.Type == secretType && secret.Namespace == metav1.NamespaceSystem
}

// remaining is how long a token will be good, 0 for ever; or that it is over. A time that cannot be read is over.
func remaining(secret *corev1.Secret, now time.Time) (left time.Duration, over bool) {
	text := string(secret.Data[fieldExpiration])
	if text == "" {
		return 0, false
	}
	end, err := time.Parse(time.RFC3339, text)
	if err != nil || !end.After(now) {
		return 0, true
	}
	return end.Sub(now), false
}

// signs returns the id and secret of a token that may sign at this time.
func signs(secret *corev1.Secret, now time.Time) (id, value string, ok bool) {
	named, ok := strings.CutPrefix(secret.Name, namePrefix)
	id, value = string(secret.Data[fieldID]), string(secret.Data[fieldSecret])
	_, over := remaining(secret, now)
	return id, value, ok && id != "" && id == named && value != "" && !over && string(secret.Data[fieldSigning]) == "true"
}
