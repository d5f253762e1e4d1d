package authn

import (
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"
)

func TestBootstrap(t *testing.T) {
	const good = "abcdef.0123456789abcdef"
	deletion := metav1.NewTime(noon)
	bootstrapper := &user.DefaultInfo{Name: "system:bootstrap:abcdef", Groups: []string{"system:bootstrappers"}}
	for name, test := range map[string]struct {
		token  string
		fields map[string]string // of the Secret, changed
		change func(*corev1.Secret)
		user   user.Info
		want   Verdict
		why    string
	}{
		"good":                              {user: bootstrapper, want: Accepted},
		"good for another minute":           {fields: map[string]string{"expiration": "2026-03-01T12:01:00Z"}, user: bootstrapper, want: Accepted},
		"in another time zone":              {fields: map[string]string{"expiration": "2026-03-01T13:01:00+01:00"}, user: bootstrapper, want: Accepted},
		"with groups":                       {fields: map[string]string{"auth-extra-groups": "system:bootstrappers:b,system:bootstrappers:a,system:bootstrappers:b"}, want: Accepted, user: &user.DefaultInfo{Name: "system:bootstrap:abcdef", Groups: []string{"system:bootstrappers", "system:bootstrappers:a", "system:bootstrappers:b"}}},
		"with a group that it may not":      {fields: map[string]string{"auth-extra-groups": "system:bootstrappers:a,system:masters"}, want: Refused, why: `the token's Secret kube-system/bootstrap-token-abcdef names the group "system:masters", which is not in system:bootstrappers:`},
		"with a group on a line of its own": {fields: map[string]string{"auth-extra-groups": "system:bootstrappers:a\nsystem:masters"}, want: Refused, why: `the token's Secret kube-system/bootstrap-token-abcdef names the group "system:bootstrappers:a\nsystem:masters", which is not in system:bootstrappers:`},
		"expired":                           {fields: map[string]string{"expiration": "2026-03-01T11:57:00Z"}, want: Refused, why: "the token's Secret kube-system/bootstrap-token-abcdef expired 3 minutes ago"},
		"expiring now":                      {fields: map[string]string{"expiration": "2026-03-01T12:00:00Z"}, want: Refused, why: "the token's Secret kube-system/bootstrap-token-abcdef expired less than a second ago"},
		"an end that is no time":            {fields: map[string]string{"expiration": "tomorrow"}, want: Refused, why: `the token's Secret kube-system/bootstrap-token-abcdef has an expiration that is no time: "tomorrow"`},
		"for signing alone":                 {fields: map[string]string{"usage-bootstrap-authentication": "", "usage-bootstrap-signing": "true"}, want: Refused, why: `the token's Secret kube-system/bootstrap-token-abcdef is not for authentication: its usage-bootstrap-authentication is not "true"`},
		"another secret":                    {token: "abcdef.0123456789abcdee", want: Refused, why: "the token's Secret kube-system/bootstrap-token-abcdef holds another secret"},
		"a Secret without one":              {token: "abcdef.0123456789abcdef", fields: map[string]string{"token-secret": ""}, want: Refused, why: "the token's Secret kube-system/bootstrap-token-abcdef holds another secret"},
		"a Secret with another's id":        {fields: map[string]string{"token-id": "fedcba"}, want: Refused, why: `the token's Secret kube-system/bootstrap-token-abcdef has "fedcba" as its token-id`},
		"a Secret of another type":          {change: func(s *corev1.Secret) { s.Type = corev1.SecretTypeOpaque }, want: Refused, why: `the token's Secret kube-system/bootstrap-token-abcdef is of type "Opaque", not "bootstrap.kubernetes.io/token"`},
		"a Secret that is being deleted":    {change: func(s *corev1.Secret) { s.DeletionTimestamp = &deletion }, want: Refused, why: "the token's Secret kube-system/bootstrap-token-abcdef is being deleted"},
		"no Secret":                         {token: "zzzzzz.0123456789abcdef", want: Passed, why: "there is no Secret kube-system/bootstrap-token-zzzzzz"},
		"upper case":                        {token: "ABCDEF.0123456789abcdef", want: Passed, why: "the token does not look like a bootstrap token"},
		"too short":                         {token: "abcdef.0123456789abcde", want: Passed, why: "the token does not look like a bootstrap token"},
		"a path as id":                      {token: "../../.0123456789abcdef", want: Passed, why: "the token does not look like a bootstrap token"},
		"two dots":                          {token: "abcdef.0123456789abcde.", want: Passed, why: "the token does not look like a bootstrap token"},
	} {
		t.Run(name, func(t *testing.T) {
			fields := map[string]string{"token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true"}
			maps.Copy(fields, test.fields)
			secret := &corev1.Secret{ObjectMeta: object("kube-system", "bootstrap-token-abcdef", "1"), Type: "bootstrap.kubernetes.io/token", Data: map[string][]byte{}}
			for k, v := range fields {
				secret.Data[k] = []byte(v)
			}
			if test.change != nil {
				test.change(secret)
			}
			if test.token == "" {
				test.token = good
			}
			b := NewBootstrap(&world{secrets: map[string]*corev1.Secret{"kube-system/bootstrap-token-abcdef": secret}}, func() time.Time { return noon })
			a := b.Authenticate(t.Context(), &Credentials{Token: test.token})
			why := ""
			if a.Why != nil {
				why = a.Why.Error()
			}
			if a.Verdict != test.want || why != test.why {
				t.Errorf("%s, %s; want %s, %s", a.Verdict, why, test.want, test.why)
			}
			if a.Verdict == Refused && sentence(a.Why).Error() != "invalid bearer token" {
				t.Errorf("Kubernetes' sentence is %q", sentence(a.Why))
			}
			if diff := cmp.Diff(test.user, a.User); diff != "" {
				t.Errorf("user (-want +got):\n%s", diff)
			}
		})
	}
}
