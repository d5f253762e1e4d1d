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

	authorizationv1 "k8s.io/api/authorization/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/wait"
)

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 1 << 20

// backoff between attempts; a failure that looks passing is tried again.
var backoff = wait.Backoff{Duration: 500 * time.Millisecond, Factor: 1.5, Jitter: 0.2, Steps: 5}

// ask posts the review, several times if need be.
func (w *Authorizer) ask(ctx context.Context, review *authorizationv1.SubjectAccessReview) (authorizationv1.SubjectAccessReviewStatus, error) {
	body, err := json.Marshal(inVersion(w.config.Version, review))
	if err != nil {
		return authorizationv1.SubjectAccessReviewStatus{}, err
	}
	var status authorizationv1.SubjectAccessReviewStatus
	var last error
	gaveUp := wait.ExponentialBackoffWithContext(ctx, backoff, func(ctx context.Context) (bool, error) {
		status, last = w.post(ctx, body)
		if last != nil && passing(last) {
			return false, nil
		}
		return true, last
	})
	switch {
	case last != nil:
		return status, fmt.Errorf("ask the webhook %s: %w", w.config.Name, last)
	case gaveUp != nil: // before the first attempt
		return status, fmt.Errorf("ask the webhook %s: %w", w.config.Name, gaveUp)
	}
	return status, nil
}

// answered is an answer that is none.
type answered struct {
	code  int
	retry bool
}

func (a answered) Error() string {
	return fmt.Sprintf("it answered %d %s", a.code, http.StatusText(a.code))
}

// passing tells whether the same question may be answered a little later.
func passing(err error) bool {
	if a, ok := errors.AsType[answered](err); ok {
		return a.retry
	}
	return utilnet.IsConnectionReset(err) || utilnet.IsHTTP2ConnectionLost(err)
}

func (w *Authorizer) post(ctx context.Context, body []byte) (status authorizationv1.SubjectAccessReviewStatus, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.config.Client.Host, bytes.NewReader(body))
	if err != nil {
		return status, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	response, err := w.client.Do(request)
	if err != nil {
		return status, err
	}
	defer response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		code := response.StatusCode
		return status, answered{code, code == http.StatusInternalServerError || code == http.StatusGatewayTimeout ||
			code == http.StatusTooManyRequests || response.Header.Get("Retry-After") != ""}
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return status, err
	}
	if len(text) > maxAnswer {
		return status, fmt.Errorf("its answer is longer than %d bytes", maxAnswer)
	}
	var review authorizationv1.SubjectAccessReview // the status is the same in both versions
	if err := json.Unmarshal(text, &review); err != nil {
		return status, fmt.Errorf("read its answer: %w", err)
	}
	if want := "authorization.k8s.io/" + w.config.Version; review.APIVersion != want || review.Kind != "SubjectAccessReview" {
		return status, fmt.Errorf("it answered with %q of %q, not with a SubjectAccessReview of %s", review.Kind, review.APIVersion, want)
	}
	return review.Status, nil
}
