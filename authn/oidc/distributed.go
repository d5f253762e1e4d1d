package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// maxOthers bounds how many issuers of distributed claims are known for one issuer.
const maxOthers = 16

// expand fetches the groups where the token does not hold them but says where they are (distributed claims,
// OpenID Connect Core 1.0, section 5.6.2), and adds them to the claims. It says whether it did.
func (i *issuer) expand(ctx context.Context, c claims, now time.Time) (bool, error) {
	name := i.config.ClaimMappings.Groups.Claim
	if _, ok := c[name]; ok || name == "" {
		return false, nil
	}
	rawNames, ok := c["_claim_names"]
	if !ok {
		return false, nil
	}
	var names map[string]string
	if err := json.Unmarshal(rawNames, &names); err != nil {
		return false, fmt.Errorf("oidc: error parsing distributed claim names: %w", err)
	}
	rawSources, ok := c["_claim_sources"]
	if !ok {
		return false, errors.New("oidc: no claim sources")
	}
	var sources map[string]struct {
		Endpoint string `json:"endpoint"`
		Token    string `json:"access_token"`
	}
	if err := json.Unmarshal(rawSources, &sources); err != nil {
		return false, fmt.Errorf("oidc: could not parse claim sources: %w", err)
	}
	id, ok := names[name]
	if !ok {
		return false, nil
	}
	source, ok := sources[id]
	if !ok {
		return false, fmt.Errorf("id token _claim_names contained a source %s missing in _claims_sources", id)
	}
	if source.Endpoint == "" { // an aggregated claim, which Kubernetes does not take either
		return false, nil
	}
	value, err := i.distributed(ctx, name, source.Endpoint, source.Token, now)
	if err != nil {
		return false, err
	}
	c[name] = value
	return true, nil
}

// distributed fetches one claim. It comes as a token of its own, for the same audiences, whose issuer may be another.
func (i *issuer) distributed(ctx context.Context, name, endpoint, token string, now time.Time) (json.RawMessage, error) {
	if !strings.HasPrefix(endpoint, "https://") {
		return nil, fmt.Errorf("while getting distributed claim %q: the endpoint %.200q is no https URL", name, endpoint)
	}
	data, err := get(ctx, i.client, endpoint, token)
	if err != nil {
		return nil, fmt.Errorf("while getting distributed claim %q: %w", name, err)
	}
	raw := string(data)
	by, err := issuerOf(raw)
	if err != nil {
		return nil, fmt.Errorf("getting untrusted issuer from endpoint %v failed for claim %q: %w", endpoint, name, err)
	}
	other, err := i.other(by)
	if err != nil {
		return nil, fmt.Errorf("verifying untrusted issuer %.200v failed: %w", by, err)
	}
	c, _, _, err := i.verify(ctx, other, raw, now)
	if err != nil {
		return nil, prefixed("verify distributed claim token: ", err)
	}
	value, ok := c[name]
	if !ok {
		return nil, fmt.Errorf("jwt returned by distributed claim endpoint %q did not contain claim: %v", endpoint, name)
	}
	return value, nil
}

// other is where an issuer of distributed claims publishes its keys.
func (i *issuer) other(url string) (*source, error) {
	if url == i.url {
		return i.source, nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if s := i.others[url]; s != nil {
		return s, nil
	}
	if len(i.others) >= maxOthers {
		return nil, fmt.Errorf("there are more than %d of them", maxOthers)
	}
	if !strings.HasPrefix(url, "https://") {
		return nil, fmt.Errorf("it is no https URL")
	}
	s := newSource(url, "", i.client, i.now)
	i.others[url] = s
	return s, nil
}
