package kubeletsim

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

const (
	maxTokenAge   = 24 * time.Hour
	tokenJitter   = 10 * time.Second
	tokenRetry    = time.Minute      // after a refresh that failed
	tokenShortest = 10 * time.Second // between refreshes, whatever a server answers
)

// tokens keeps the tokens that pods mount, and asks for new ones in time: at 80% of their life, or after a day.
// Source: k8s.io/kubernetes/pkg/kubelet/token.
type tokens struct {
	client kubernetes.Interface
	now    func() time.Time
	log    *slog.Logger

	mu    sync.Mutex
	cache map[tokenKey]token // guarded by mu
}

type tokenKey struct {
	pod                types.UID
	namespace, account string
	audiences          string
	seconds            int64
}

type token struct {
	value            string
	refresh, expires time.Time
}

func newTokens(client kubernetes.Interface, now func() time.Time, log *slog.Logger) *tokens {
	return &tokens{client: client, now: now, log: log, cache: map[tokenKey]token{}}
}

// Token answers with the token that a pod is to have now, and when to ask again.
func (t *tokens) Token(ctx context.Context, namespace, account string, request *authv1.TokenRequest) (string, time.Time, error) {
	key := tokenKey{namespace: namespace, account: account, audiences: strings.Join(request.Spec.Audiences, "\n")}
	if ref := request.Spec.BoundObjectRef; ref != nil {
		key.pod = ref.UID
	}
	if request.Spec.ExpirationSeconds != nil {
		key.seconds = *request.Spec.ExpirationSeconds
	}
	t.mu.Lock()
	old, known := t.cache[key]
	t.mu.Unlock()
	now := t.now()
	if known && now.Before(old.refresh) {
		return old.value, old.refresh, nil
	}
	answer, err := t.client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, account, request, metav1.CreateOptions{})
	switch {
	case err == nil:
	case !known:
		return "", time.Time{}, fmt.Errorf("failed to fetch token: %w", err)
	case now.After(old.expires):
		return "", time.Time{}, fmt.Errorf("token of service account %s/%s expired and refresh failed: %w", namespace, account, err)
	default:
		t.log.Warn("cannot renew token", "namespace", namespace, "account", account, "err", err)
		return old.value, now.Add(tokenRetry), nil
	}
	fresh := token{value: answer.Status.Token, expires: answer.Status.ExpirationTimestamp.Time}
	fresh.refresh = refreshTime(now, fresh.expires, answer.Spec.ExpirationSeconds)
	t.mu.Lock()
	t.cache[key] = fresh
	t.mu.Unlock()
	return fresh.value, fresh.refresh, nil
}

// refreshTime is when 80% of a token's life are over, or a day, and a little earlier, so that not all come at once.
func refreshTime(now, expires time.Time, seconds *int64) time.Time {
	life := expires.Sub(now)
	if seconds != nil {
		life = time.Duration(*seconds) * time.Second
	}
	issued := expires.Add(-life)
	refresh := issued.Add(min(life*8/10, maxTokenAge)).Add(-rand.N(tokenJitter))
	if earliest := now.Add(tokenShortest); refresh.Before(earliest) {
		return earliest
	}
	return refresh
}

// forget drops a pod's tokens.
func (t *tokens) forget(pod types.UID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key := range t.cache {
		if key.pod == pod {
			delete(t.cache, key)
		}
	}
}
