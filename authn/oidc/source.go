package oidc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// retryAfter is how long an issuer is left alone after it was asked: whoever sends tokens with made-up key ids must not
	// make us ask at their pace.
	retryAfter = 10 * time.Second
	// renewAfter is the age at which keys are looked at again, so that one which the issuer has withdrawn ends here too.
	renewAfter = 10 * time.Minute
	// maxDocument bounds what an issuer may answer, in bytes.
	maxDocument = 1 << 20

	wellKnown = "/.well-known/openid-configuration"
)

// source is where an issuer publishes its keys (OpenID Connect Discovery 1.0). What was fetched stays good while the issuer
// cannot be reached.
type source struct {
	issuer    string
	discovery string
	client    *http.Client
	now       func() time.Time
	asking    singleflight.Group

	mu    sync.Mutex // guards what follows
	keys  *keySet
	data  []byte    // that keys was made from
	asked time.Time // when the issuer was asked last
	err   error     // what came of that
}

func newSource(issuer, discovery string, client *http.Client, now func() time.Time) *source {
	if discovery == "" {
		discovery = strings.TrimSuffix(issuer, "/") + wellKnown
	}
	return &source{issuer: issuer, discovery: discovery, client: client, now: now}
}

// current are the keys as last fetched, or nil.
func (s *source) current() *keySet {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys
}

// find returns keys among which is the one of that id, if the issuer has it. It asks the issuer when it must, and not too often.
func (s *source) find(ctx context.Context, id string) (*keySet, error) {
	s.mu.Lock()
	keys, age, err := s.keys, s.now().Sub(s.asked), s.err
	s.mu.Unlock()
	switch {
	case keys != nil && keys.has(id):
		if age > renewAfter {
			s.start(ctx) // and go on with what we have
		}
		return keys, nil
	case keys != nil && age < retryAfter:
		return keys, nil
	case keys == nil && err != nil && age < retryAfter:
		return nil, err
	}
	fresh, err := s.refresh(ctx)
	if err != nil && keys != nil {
		return keys, nil
	}
	return fresh, err
}

// refresh asks the issuer, together with others who want to know.
func (s *source) refresh(ctx context.Context) (*keySet, error) {
	select {
	case r := <-s.start(ctx):
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*keySet), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *source) start(ctx context.Context) <-chan singleflight.Result {
	return s.asking.DoChan("", func() (any, error) {
		// Not the context of the request that happens to be first: others wait for the same keys.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		data, err := s.fetch(ctx)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked, s.err = s.now(), err
		if err != nil {
			return nil, err
		}
		if s.keys != nil && bytes.Equal(data, s.data) {
			return s.keys, nil
		}
		keys, err := parseKeySet(data)
		if err != nil {
			s.err = err
			return nil, err
		}
		s.keys, s.data = keys, data
		return keys, nil
	})
}

// fetch reads the issuer's configuration, and from where that says the key set.
func (s *source) fetch(ctx context.Context) ([]byte, error) {
	data, err := s.get(ctx, s.discovery)
	if err != nil {
		return nil, err
	}
	var doc struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("oidc: failed to decode provider discovery object: %w", err)
	}
	switch {
	case doc.Issuer != s.issuer && (s.issuer != googleIssuer || doc.Issuer != googleIssuerOld):
		return nil, fmt.Errorf("oidc: issuer did not match the issuer returned by provider, expected %q got %.200q", s.issuer, doc.Issuer)
	case !strings.HasPrefix(doc.JWKS, "https://"):
		return nil, fmt.Errorf("oidc: the provider's jwks_uri %.200q is no https URL, so that anybody on the way could replace the keys", doc.JWKS)
	}
	return s.get(ctx, doc.JWKS)
}

func (s *source) get(ctx context.Context, url string) ([]byte, error) {
	return get(ctx, s.client, url, "")
}

// get fetches a document, with a bearer token if there is one.
func get(ctx context.Context, client *http.Client, url, token string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %d %s", url, response.StatusCode, http.StatusText(response.StatusCode))
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxDocument+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxDocument {
		return nil, errors.New(url + " answered more than 1 MiB")
	}
	return data, nil
}
