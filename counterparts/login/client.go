package login

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
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
	maxAnswer = 1 << 20      // bytes
	lastEnd   = 253402300799 // the last second that has a date of four-digit years (RFC 3339)
)

// Client logs somebody in at an issuer.
type Client struct {
	Issuer, ID string
	HTTP       *http.Client // must not follow redirects
	Now        func() time.Time
	// Visit takes somebody through the login page, and returns the parameters with which the browser came back to the
	// redirect that it is given a way to make the page's URL of.
	Visit func(ctx context.Context, page func(redirect string) string) (redirect string, back url.Values, err error)
}

// Tokens are what the issuer gave.
type Tokens struct {
	IDToken string    `json:"idToken"`
	Refresh string    `json:"refreshToken,omitempty"`
	Ends    time.Time `json:"ends"`
}

// early is how long before its end a token is replaced.
const early = 30 * time.Second

// Token returns what is had if it is good for a while, else what the refresh token gives, else what a login gives.
func (c *Client) Token(ctx context.Context, have Tokens) (Tokens, error) {
	if have.IDToken != "" && c.Now().Before(have.Ends.Add(-early)) {
		return have, nil
	}
	var endpoints struct {
		Issuer    string `json:"issuer"`
		Authorize string `json:"authorization_endpoint"`
		Token     string `json:"token_endpoint"`
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Issuer+"/.well-known/openid-configuration", nil)
	if err != nil {
		return Tokens{}, err
	}
	if err := c.do(request, &endpoints); err != nil {
		return Tokens{}, err
	}
	if endpoints.Issuer != c.Issuer {
		return Tokens{}, fmt.Errorf("the issuer at %s says that it is %.200q", c.Issuer, endpoints.Issuer)
	}
	for _, endpoint := range []string{endpoints.Authorize, endpoints.Token} {
		if !strings.HasPrefix(endpoint, "https://") {
			return Tokens{}, fmt.Errorf("the issuer names the endpoint %.200q, which does not begin with https://", endpoint)
		}
	}
	if have.Refresh != "" {
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {have.Refresh}, "client_id": {c.ID}}
		if got, err := c.redeem(ctx, endpoints.Token, form, ""); err == nil {
			return got, nil
		}
	}
	verifier, state, nonce := rand.Text()+rand.Text(), rand.Text(), rand.Text()
	sum := sha256.Sum256([]byte(verifier))
	redirect, back, err := c.Visit(ctx, func(redirect string) string {
		return endpoints.Authorize + "?" + url.Values{
			"response_type": {"code"}, "scope": {"openid"}, "client_id": {c.ID}, "redirect_uri": {redirect}, "state": {state}, "nonce": {nonce},
			"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
		}.Encode()
	})
	switch {
	case err != nil:
		return Tokens{}, err
	case back.Get("state") != state:
		return Tokens{}, errors.New("the answer to the login is to another login")
	}
	return c.redeem(ctx, endpoints.Token, url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Get("code")}, "redirect_uri": {redirect}, "client_id": {c.ID}, "code_verifier": {verifier},
	}, nonce)
}

// redeem gets tokens for a code or a refresh token.
func (c *Client) redeem(ctx context.Context, endpoint string, form url.Values, nonce string) (Tokens, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return Tokens{}, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var got struct {
		IDToken string `json:"id_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := c.do(request, &got); err != nil {
		return Tokens{}, err
	}
	said, err := read(got.IDToken)
	if err != nil {
		return Tokens{}, err
	}
	if nonce != "" && said.Nonce != nonce {
		return Tokens{}, errors.New("the issuer's token is for another login: its nonce is not ours")
	}
	return Tokens{got.IDToken, got.Refresh, time.Unix(said.Expiry, 0)}, nil
}

// do sends a request, and decodes the answer.
func (c *Client) do(r *http.Request, into any) error {
	answer, err := c.HTTP.Do(r)
	if err != nil {
		return fmt.Errorf("ask the issuer: %w", err)
	}
	defer answer.Body.Close()
	body := io.LimitReader(answer.Body, maxAnswer)
	if answer.StatusCode != http.StatusOK {
		var refusal struct {
			Error string `json:"error"`
		}
		json.NewDecoder(body).Decode(&refusal) // no JSON: no reason
		return fmt.Errorf("the issuer answered %s %.64q", answer.Status, refusal.Error)
	}
	if err := json.NewDecoder(body).Decode(into); err != nil {
		return fmt.Errorf("the issuer's answer is no JSON: %w", err)
	}
	return nil
}

type said struct {
	Nonce  string `json:"nonce"`
	Expiry int64  `json:"exp"`
}

// read reads the claims of an ID token.
func read(raw string) (said, error) {
	parts := strings.Split(raw, ".")
	var s said
	if len(parts) != 3 {
		return s, errors.New("the issuer gave no ID token")
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(data, &s) != nil || s.Expiry < 0 || s.Expiry > lastEnd {
		return said{}, errors.New("the issuer's ID token cannot be read")
	}
	return s, nil
}
