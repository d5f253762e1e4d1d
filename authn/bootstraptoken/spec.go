package bootstraptoken

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// The Secret of a token (k8s.io/cluster-bootstrap/token/api).
const (
	Namespace                    = metav1.NamespaceSystem
	NamePrefix                   = "bootstrap-token-" // of its name, before the token's id
	Type       corev1.SecretType = "bootstrap.kubernetes.io/token"

	FieldID          = "token-id"
	FieldSecret      = "token-secret"
	FieldExpiration  = "expiration"
	FieldDescription = "description"
	FieldGroups      = "auth-extra-groups"
	FieldUsagePrefix = "usage-bootstrap-"

	UsageSigning        = "signing"        // of cluster-info
	UsageAuthentication = "authentication" // to the API

	// DefaultGroup is that of kubeadm's tokens, whose members may ask for a node's certificate.
	DefaultGroup = "system:bootstrappers:kubeadm:default-node-token"
	// DefaultTTL is how long a token lives unless somebody says otherwise.
	DefaultTTL = 24 * time.Hour
	// GroupPattern is what the groups of a token look like.
	GroupPattern = `\Asystem:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]\z`
)

// Usages are all that a token may be for.
func Usages() []string { return []string{UsageSigning, UsageAuthentication} }

// Spec is what a token is good for.
type Spec struct {
	Token       Token
	Description string
	Expires     time.Time // zero: never
	Usages      []string
	Groups      []string // beside system:bootstrappers
}

// Validate reports all that is wrong, in kubeadm's words.
func (s *Spec) Validate() error {
	var errs field.ErrorList
	path := field.NewPath("bootstrapTokens").Child("0")
	var unknown []string
	for _, u := range s.Usages {
		if !slices.Contains(Usages(), u) {
			unknown = append(unknown, u)
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		errs = append(errs, field.Invalid(path.Child("usages"), s.Usages, fmt.Sprintf("invalid bootstrap token usage string: %s, valid usage options: %s",
			strings.Join(slices.Compact(unknown), ","), strings.Join(Usages(), ","))))
	}
	if len(s.Groups) > 0 && !slices.Contains(s.Usages, UsageAuthentication) {
		errs = append(errs, field.Invalid(path.Child("groups"), s.Groups, fmt.Sprintf("token groups cannot be specified unless --usages includes %q", UsageAuthentication)))
	}
	for _, g := range s.Groups {
		if !ValidGroup(g) {
			errs = append(errs, field.Invalid(path.Child("groups"), s.Groups, fmt.Sprintf("bootstrap group %q is invalid (must match %s)", g, GroupPattern)))
		}
	}
	return errs.ToAggregate()
}

var groupPattern = regexp.MustCompile(GroupPattern)

// ValidGroup tells whether a token may name the group.
func ValidGroup(name string) bool { return groupPattern.MatchString(name) }

// Secret is how the token is kept.
func (s *Spec) Secret() *corev1.Secret {
	data := map[string][]byte{FieldID: []byte(s.Token.ID), FieldSecret: []byte(s.Token.Secret)}
	for key, text := range map[string]string{FieldDescription: s.Description, FieldGroups: strings.Join(s.Groups, ",")} {
		if text != "" {
			data[key] = []byte(text)
		}
	}
	if !s.Expires.IsZero() {
		data[FieldExpiration] = []byte(s.Expires.UTC().Format(time.RFC3339))
	}
	for _, u := range s.Usages {
		data[FieldUsagePrefix+u] = []byte("true")
	}
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: NamePrefix + s.Token.ID},
		Type:       Type,
		Data:       data,
	}
}

// FromSecret reads what a Secret says of its token. Errors are kubeadm's.
func FromSecret(secret *corev1.Secret) (*Spec, error) {
	s := &Spec{Description: string(secret.Data[FieldDescription])}
	id, value := string(secret.Data[FieldID]), string(secret.Data[FieldSecret])
	switch {
	case id == "":
		return nil, fmt.Errorf("bootstrap Token Secret has no %s data: %s", FieldID, secret.Name)
	case secret.Name != NamePrefix+id:
		return nil, fmt.Errorf("bootstrap token name is not of the form '%s(token-id)'. Actual: %q. Expected: %q", NamePrefix, secret.Name, NamePrefix+id)
	case value == "":
		return nil, fmt.Errorf("bootstrap Token Secret has no %s data: %s", FieldSecret, secret.Name)
	}
	var err error
	if s.Token, err = Parse(id + "." + value); err != nil {
		return nil, fmt.Errorf("bootstrap Token Secret %s is invalid and couldn't be parsed: %w", secret.Name, err)
	}
	if text := string(secret.Data[FieldExpiration]); text != "" {
		if s.Expires, err = time.Parse(time.RFC3339, text); err != nil {
			return nil, fmt.Errorf("can't parse expiration time of bootstrap token %q: %w", secret.Name, err)
		}
	}
	for key, v := range secret.Data {
		if u, ok := strings.CutPrefix(key, FieldUsagePrefix); ok && string(v) == "true" {
			s.Usages = append(s.Usages, u)
		}
	}
	slices.SortFunc(s.Usages, cmp.Compare[string])
	if text := string(secret.Data[FieldGroups]); text != "" {
		s.Groups = strings.Split(text, ",")
	}
	return s, nil
}
