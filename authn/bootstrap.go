package authn

import (
	"context"
	"crypto/subtle"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiserver/pkg/authentication/user"
)

// Secrets finds a Secret as it is now, or nil. What it returns is only read.
type Secrets interface {
	Secret(namespace, name string) *corev1.Secret
}

// Bootstrap accepts bootstrap tokens, with which a new node introduces itself: "id.secret", kept in the Secret
// kube-system/bootstrap-token-ID. They are few, short-lived, and good for little: see the group system:bootstrappers.
type Bootstrap struct {
	secrets Secrets
	now     func() time.Time
}

// NewBootstrap returns the strategy.
func NewBootstrap(secrets Secrets, now func() time.Time) *Bootstrap {
	return &Bootstrap{secrets, now}
}

// Name is `bootstrap`.
func (*Bootstrap) Name() string { return "bootstrap" }

// The fields of a bootstrap token's Secret (k8s.io/cluster-bootstrap/token/api).
const (
	bootstrapType   = "bootstrap.kubernetes.io/token"
	bootstrapPrefix = "bootstrap-token-" // of its name, before the token's id

	fieldTokenID     = "token-id"
	fieldTokenSecret = "token-secret"
	fieldExpiration  = "expiration"
	fieldUsage       = "usage-bootstrap-authentication"
	fieldGroups      = "auth-extra-groups"
)

const whyNotBootstrap reason = "the token does not look like a bootstrap token"

// Authenticate passes on tokens of another form or without a Secret, and refuses those that their Secret does not allow.
// Kubernetes says "invalid bearer token" of all of these.
func (b *Bootstrap) Authenticate(_ context.Context, c *Credentials) Answer {
	id, secret, ok := splitBootstrap(c.Token)
	if !ok {
		return Answer{Why: whyNotBootstrap}
	}
	s := b.secrets.Secret("kube-system", bootstrapPrefix+id)
	if s == nil {
		return Answer{Why: fmt.Errorf("there is no Secret kube-system/%s%s", bootstrapPrefix, id)}
	}
	field := func(key string) string { return string(s.Data[key]) }
	switch {
	case s.DeletionTimestamp != nil:
		return b.refuse(s, "is being deleted")
	case s.Type != bootstrapType:
		return b.refuse(s, "is of type %q, not %q", s.Type, bootstrapType)
	case subtle.ConstantTimeCompare([]byte(field(fieldTokenSecret)), []byte(secret)) != 1:
		return b.refuse(s, "holds another secret")
	case field(fieldTokenID) != id:
		return b.refuse(s, "has %q as its %s", field(fieldTokenID), fieldTokenID)
	}
	if text := field(fieldExpiration); text != "" {
		end, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return b.refuse(s, "has an %s that is no time: %.40q", fieldExpiration, text)
		}
		if now := b.now(); !end.After(now) {
			return b.refuse(s, "expired %s ago", Span(now.Sub(end)))
		}
	}
	if field(fieldUsage) != "true" {
		return b.refuse(s, "is not for authentication: its %s is not \"true\"", fieldUsage)
	}
	groups, bad := bootstrapGroups(field(fieldGroups))
	if bad != "" {
		return b.refuse(s, "names the group %.80q, which is not in system:bootstrappers:", bad)
	}
	return Answer{Verdict: Accepted, User: &user.DefaultInfo{Name: "system:bootstrap:" + id, Groups: groups}}
}

func (b *Bootstrap) refuse(s *corev1.Secret, format string, args ...any) Answer {
	return refuse(string(whyUnknown), fmt.Errorf("the token's Secret %s/%s "+format, append([]any{s.Namespace, s.Name}, args...)...))
}

// splitBootstrap takes apart a token of the form [a-z0-9]{6}.[a-z0-9]{16}.
func splitBootstrap(token string) (id, secret string, ok bool) {
	id, secret, ok = strings.Cut(token, ".")
	return id, secret, ok && len(id) == 6 && len(secret) == 16 &&
		lowerAlnum(id) && lowerAlnum(secret)
}

func lowerAlnum(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') })
}

var bootstrapGroup = regexp.MustCompile(`\Asystem:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]\z`)

// bootstrapGroups are the groups that a Secret names, and the one that all have; or the first that it may not name.
func bootstrapGroups(names string) (groups []string, bad string) {
	groups = []string{"system:bootstrappers"}
	if names == "" {
		return groups, ""
	}
	for name := range strings.SplitSeq(names, ",") {
		if !bootstrapGroup.MatchString(name) {
			return nil, name
		}
		groups = append(groups, name)
	}
	slices.Sort(groups)
	return slices.Compact(groups), ""
}
