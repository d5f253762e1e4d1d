package cluster

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// clientFactory makes clients for the parts of this process, each with the identity that the part would have
// in a cluster of many processes.
type clientFactory struct {
	handler http.Handler
	url     string
	now     func() time.Time
}

func (f clientFactory) config(agent string, rt http.RoundTripper) *rest.Config {
	return &rest.Config{
		Host:      f.url,
		UserAgent: agent + "/" + apiVersion,
		Transport: rt,
		QPS:       -1, // the server is in this process: there is nobody to spare
	}
}

// as is the configuration of a client that presents the certificates that chain returns at the time; nil presents none.
func (f clientFactory) as(agent string, chain func() []*x509.Certificate) *rest.Config {
	return f.config(agent, &transport{handler: f.handler, chain: chain})
}

// asAccount is the configuration of a client that acts as a service account of kube-system. Its token comes
// from the TokenRequest API, by the hand of a client that may ask for it, as kube-controller-manager does
// for its controllers (--use-service-account-credentials).
func (f clientFactory) asAccount(name string, by kubernetes.Interface) *rest.Config {
	return f.config("kube-controller-manager", &accountTransport{next: &transport{handler: f.handler}, name: name, by: by, now: f.now})
}

// accountTransport adds a service account's token to requests, and asks for a new one in time; after a refusal too, for the key
// that signed it may be forgotten, or the account be another of the same name.
type accountTransport struct {
	next http.RoundTripper
	name string
	by   kubernetes.Interface
	now  func() time.Time

	mu    sync.Mutex
	token string
	renew time.Time
}

// accountTokenLife is how long a controller's token lives; it is replaced after four fifths of that.
const accountTokenLife = time.Hour

func (t *accountTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := t.current(r.Context())
	if err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := t.next.RoundTrip(r)
	if err == nil && answer.StatusCode == http.StatusUnauthorized {
		t.forget(token)
	}
	return answer, err
}

// forget has the next request ask for a token, unless there is another already.
func (t *accountTransport) forget(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token == token {
		t.renew = time.Time{}
	}
}

func (t *accountTransport) current(ctx context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now().Before(t.renew) {
		return t.token, nil
	}
	accounts := t.by.CoreV1().ServiceAccounts(metav1.NamespaceSystem)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: new(int64(accountTokenLife / time.Second)),
	}}
	answer, err := accounts.CreateToken(ctx, t.name, request, metav1.CreateOptions{})
	if apierrors.IsNotFound(err) {
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: t.name}}
		if _, err = accounts.Create(ctx, account, metav1.CreateOptions{}); err == nil || apierrors.IsAlreadyExists(err) {
			answer, err = accounts.CreateToken(ctx, t.name, request, metav1.CreateOptions{})
		}
	}
	if err != nil {
		return "", fmt.Errorf("get a token for the service account %s: %w", t.name, err)
	}
	t.token, t.renew = answer.Status.Token, t.now().Add(accountTokenLife*4/5)
	return t.token, nil
}
