package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"coracle/authn/pki"
	"coracle/authn/token"
	"coracle/cluster"
)

// here is whether a token is valid here.
type here struct {
	// Valid is nil when it cannot be told.
	Valid *bool `json:"valid"`
	// AskedOf is who said so: a server's URL, or the file of a key.
	AskedOf string                     `json:"askedOf,omitempty"`
	User    *authenticationv1.UserInfo `json:"user,omitempty"`
	// Audiences are those that it is good for, when it is not good for the API server.
	Audiences []string   `json:"audiences,omitempty"`
	Until     *time.Time `json:"until,omitempty"`
	Says      string     `json:"says"`
}

// reviewPatience is how long the cluster may take to answer.
const reviewPatience = 5 * time.Second

// validHere asks the cluster, or else looks at the signature alone.
func validHere(ctx context.Context, c *connection, dataDir, raw string, t *decodedToken) (here, error) {
	config, _, err := c.client()
	if err == nil {
		config.Timeout = reviewPatience
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			return here{}, err
		}
		answer, err := reviewed(ctx, client, raw, t)
		if err == nil {
			answer.AskedOf = config.Host
			answer.Says = strings.ReplaceAll(answer.Says, "HERE", config.Host)
			return answer, nil
		}
		if c.kubeconfig != "" {
			return here{}, fmt.Errorf("ask %s about the token: %w", config.Host, err)
		}
	} else if c.kubeconfig != "" || c.output != "" && c.output != "json" && c.output != "yaml" {
		return here{}, err
	}
	return checkedOffline(dataDir, raw, t)
}

// reviewed asks by TokenReview: whether the API server takes the token, and if not, whether anybody does.
func reviewed(ctx context.Context, client kubernetes.Interface, raw string, t *decodedToken) (here, error) {
	ask := func(audiences []string) (*authenticationv1.TokenReviewStatus, error) {
		review, err := client.AuthenticationV1().TokenReviews().Create(ctx, &authenticationv1.TokenReview{
			Spec: authenticationv1.TokenReviewSpec{Token: raw, Audiences: audiences},
		}, metav1.CreateOptions{})
		if err != nil {
			return nil, err
		}
		return &review.Status, nil
	}
	status, err := ask(nil)
	if err != nil {
		return here{}, err
	}
	if status.Authenticated {
		h := here{Valid: new(true), User: &status.User}
		h.Says = fmt.Sprintf("valid at HERE%s\nuser    %s\ngroups  %s", h.until(t), printable(status.User.Username, false), printable(strings.Join(status.User.Groups, ", "), false))
		return h, nil
	}
	why := status.Error
	if others := t.audiences(); len(others) > 0 {
		if status, err := ask(others); err == nil && status.Authenticated {
			h := here{Valid: new(false), User: &status.User, Audiences: status.Audiences}
			h.Says = fmt.Sprintf("not valid at HERE itself: it is for %s, who may take it%s", printable(strings.Join(status.Audiences, ", "), false), h.until(t))
			return h, nil
		}
	}
	return here{Valid: new(false), Says: "not valid at HERE: " + printable(why, false)}, nil
}

// until says how long a token is valid that is valid now.
func (h *here) until(t *decodedToken) string {
	at, ok := instant(t.Claims, "exp")
	if !ok {
		return ", until what it depends on is deleted"
	}
	h.Until = &at
	return fmt.Sprintf(", until %s (%s)", at.Format(time.RFC3339), when(at, time.Now()))
}

// checkedOffline looks whether the key in the data directory signed the token. That is less than validity: nobody
// knows whether the account still exists.
func checkedOffline(dataDir, raw string, t *decodedToken) (here, error) {
	if dataDir == "" {
		var err error
		if dataDir, err = cluster.DefaultDataDir(); err != nil {
			return here{Says: "unknown: there is no cluster to ask, and no key to check the signature with"}, nil
		}
	}
	path := filepath.Join(dataDir, "pki", "sa.pub")
	data, err := os.ReadFile(path)
	if err != nil {
		return here{Says: fmt.Sprintf("unknown: there is no cluster to ask, and no key at %s to check the signature with", path)}, nil
	}
	publics, err := pki.ParsePublicKeys(data)
	if err != nil {
		return here{}, fmt.Errorf("%s: %w", path, err)
	}
	h := here{AskedOf: path}
	var last error
	for _, public := range publics {
		key, err := token.NewKey(public)
		if err != nil {
			return here{}, fmt.Errorf("%s: %w", path, err)
		}
		parser := jwt.NewParser(jwt.WithValidMethods([]string{key.Algorithm()}))
		_, last = parser.Parse(raw, func(*jwt.Token) (any, error) { return key.Public, nil })
		if last == nil {
			h.Says = fmt.Sprintf("signed by the key in %s, and in force%s\nno cluster could be asked whether what it depends on still exists", path, h.until(t))
			return h, nil
		}
	}
	h.Valid = new(false)
	switch {
	case errors.Is(last, jwt.ErrTokenExpired):
		h.Says = fmt.Sprintf("not valid: signed by the key in %s, and expired", path)
	case errors.Is(last, jwt.ErrTokenNotValidYet):
		h.Says = fmt.Sprintf("not valid: signed by the key in %s, and not in force yet", path)
	default:
		h.Valid = nil
		h.Says = fmt.Sprintf("unknown: the key in %s did not sign it, and there is no cluster to ask", path)
		if slices.Contains([]string{token.LegacyIssuer, cluster.DefaultIssuer}, t.text("iss")) {
			h.Valid, h.Says = new(false), fmt.Sprintf("not valid: the key in %s did not sign it; it is of another cluster, or was changed", path)
		}
	}
	return h, nil
}
