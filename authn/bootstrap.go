package authn

import (
	"context"
	"crypto/subtle"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/authn/bootstraptoken"
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

const whyNotBootstrap reason = "the token does not look like a bootstrap token"

// Authenticate passes on tokens of another form or without a Secret, and refuses those that their Secret does not allow.
// Kubernetes says "invalid bearer token" of all of these.
func (b *Bootstrap) Authenticate(_ context.Context, c *Credentials) Answer {
	t, err := bootstraptoken.Parse(c.Token)
	if err != nil {
		return Answer{Why: whyNotBootstrap}
	}
	s := b.secrets.Secret(bootstraptoken.Namespace, bootstraptoken.NamePrefix+t.ID)
	if s == nil {
		return Answer{Why: fmt.Errorf("there is no Secret %s/%s%s", bootstraptoken.Namespace, bootstraptoken.NamePrefix, t.ID)}
	}
	field := func(key string) string { return string(s.Data[key]) }
	switch {
	case s.DeletionTimestamp != nil:
		return b.refuse(s, "is being deleted")
	case s.Type != bootstraptoken.Type:
		return b.refuse(s, "is of type %q, not %q", s.Type, bootstraptoken.Type)
	case subtle.ConstantTimeCompare([]byte(field(bootstraptoken.FieldSecret)), []byte(t.Secret)) != 1:
		return b.refuse(s, "holds another secret")
	case field(bootstraptoken.FieldID) != t.ID:
		return b.refuse(s, "has %q as its %s", field(bootstraptoken.FieldID), bootstraptoken.FieldID)
	}
	if text := field(bootstraptoken.FieldExpiration); text != "" {
		end, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return b.refuse(s, "has an %s that is no time: %.40q", bootstraptoken.FieldExpiration, text)
		}
		if now := b.now(); !end.After(now) {
			return b.refuse(s, "expired %s ago", Span(now.Sub(end)))
		}
	}
	const usage = bootstraptoken.FieldUsagePrefix + bootstraptoken.UsageAuthentication
	if field(usage) != "true" {
		return b.refuse(s, "is not for authentication: its %s is not \"true\"", usage)
	}
	groups, bad := bootstrapGroups(field(bootstraptoken.FieldGroups))
	if bad != "" {
		return b.refuse(s, "names the group %.80q, which is not in system:bootstrappers:", bad)
	}
	return Answer{Verdict: Accepted, User: &user.DefaultInfo{Name: "system:bootstrap:" + t.ID, Groups: groups}}
}

func (b *Bootstrap) refuse(s *corev1.Secret, format string, args ...any) Answer {
	return refuse(string(whyUnknown), fmt.Errorf("the token's Secret %s/%s "+format, append([]any{s.Namespace, s.Name}, args...)...))
}

// bootstrapGroups are the groups that a Secret names, and the one that all have; or the first that it may not name.
func bootstrapGroups(names string) (groups []string, bad string) {
	groups = []string{"system:bootstrappers"}
	if names == "" {
		return groups, ""
	}
	for name := range strings.SplitSeq(names, ",") {
		if !bootstraptoken.ValidGroup(name) {
			return nil, name
		}
		groups = append(groups, name)
	}
	slices.Sort(groups)
	return slices.Compact(groups), ""
}
