package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/wait"
)

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 1 << 20

// ask posts a TokenReview; what looks like a passing trouble is tried again, as kube-apiserver does.
func (a *Authenticator) ask(ctx context.Context, token string, audiences []string) (authenticationv1.TokenReviewStatus, error) {
	body, err := json.Marshal(authenticationv1.TokenReview{ // v1beta1 differs in the name only
		TypeMeta: metav1.TypeMeta{APIVersion: "authentication.k8s.io/" + a.config.Version, Kind: "TokenReview"},
		Spec:     authenticationv1.TokenReviewSpec{Token: token, Audiences: audiences},
	})
	if err != nil {
		return authenticationv1.TokenReviewStatus{}, err
	}
	var status authenticationv1.TokenReviewStatus
	var last error
	backoff := wait.Backoff{Duration: 500 * time.Millisecond, Factor: 1.5, Jitter: 0.2, Steps: 5}
	gaveUp := wait.ExponentialBackoffWithContext(ctx, backoff, func(ctx context.Context) (bool, error) {
		status, last = a.post(ctx, body)
		if last != nil && passing(last) {
			return false, nil
		}
		return true, last
	})
	if last == nil {
		last = gaveUp
	}
	return status, last
}

// httpError is an answer that is no TokenReview.
type httpError struct {
	code       int
	retryAfter bool
}

func (e *httpError) Error() string {
	return fmt.Sprintf("the authentication webhook answered %d %s", e.code, http.StatusText(e.code))
}

// passing says whether the same question may be answered a little later.
func passing(err error) bool {
	if e, ok := errors.AsType[*httpError](err); ok {
		return e.retryAfter || e.code == http.StatusInternalServerError || e.code == http.StatusGatewayTimeout || e.code == http.StatusTooManyRequests
	}
	return utilnet.IsConnectionReset(err) || utilnet.IsHTTP2ConnectionLost(err)
}

func (a *Authenticator) post(ctx context.Context, body []byte) (status authenticationv1.TokenReviewStatus, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.config.Client.Host, bytes.NewReader(body))
	if err != nil {
		return status, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, */*")
	response, err := a.client.Do(request)
	if err != nil {
		return status, err
	}
	defer response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return status, &httpError{response.StatusCode, response.Header.Get("Retry-After") != ""}
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return status, err
	}
	if len(data) > maxAnswer {
		return status, errors.New("the authentication webhook's answer is larger than 1 MiB")
	}
	var review authenticationv1.TokenReview
	if err := json.Unmarshal(data, &review); err != nil {
		return status, fmt.Errorf("the authentication webhook's answer is not JSON: %w", err)
	}
	if want := "authentication.k8s.io/" + a.config.Version; review.APIVersion != want || review.Kind != "TokenReview" {
		return status, fmt.Errorf("the authentication webhook answered with %.80q of %.80q, not with a TokenReview of %s", review.Kind, review.APIVersion, want)
	}
	return review.Status, nil
}
