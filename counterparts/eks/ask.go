package eks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	patience  = 10 * time.Second // with STS
	maxAnswer = 64 << 10         // bytes
)

// ask is the second hop: STS is asked the question of a token, with our cluster's name.
func (a *Authenticator) ask(ctx context.Context, q *question) (*Identity, error) {
	id, err := a.call(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("sts getCallerIdentity failed: %w", err)
	}
	return id, nil
}

func (a *Authenticator) call(ctx context.Context, q *question) (*Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	// Made anew of what was checked: nothing of the token's URL gets here in any other way.
	to := url.URL{Scheme: "https", Host: a.STS, Path: "/", RawQuery: q.parameters.Encode()}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), nil)
	if err != nil {
		return nil, errors.New("no request could be made of the token")
	}
	r.Header.Set(clusterHeader, a.Cluster)
	r.Header.Set("Accept", "application/json")
	response, err := a.RoundTripper.RoundTrip(r) // which follows no redirects
	if err != nil {
		return nil, fmt.Errorf("error during GET: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil || len(body) > maxAnswer {
		return nil, errors.New("error reading HTTP result, or it is too large")
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("error from AWS (expected 200, got %d). Body: %.500s", response.StatusCode, strings.TrimSpace(string(body)))
	}
	var answer struct {
		GetCallerIdentityResponse struct {
			GetCallerIdentityResult struct{ Account, Arn, UserID string }
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, errors.New("the answer is no JSON")
	}
	is := answer.GetCallerIdentityResponse.GetCallerIdentityResult
	return newIdentity(is.Arn, is.Account, is.UserID, q.keyID)
}
