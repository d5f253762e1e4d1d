package admission

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"
)

func TestPodCertificateSigning(t *testing.T) {
	request := func(conditions ...string) *certificatesv1.PodCertificateRequest {
		r := &certificatesv1.PodCertificateRequest{ObjectMeta: metav1.ObjectMeta{Name: "r"}}
		r.Spec.SignerName = "example.com/boats"
		for _, c := range conditions {
			r.Status.Conditions = append(r.Status.Conditions, metav1.Condition{Type: c})
		}
		return r
	}
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	valid := func(from time.Time) Attributes {
		r := request("Issued")
		r.Status.NotBefore = new(metav1.NewTime(from))
		return Attributes{Operation: Update, Subresource: "status", Old: request(), Object: r}
	}
	may := roles{"sign signers /example.com/boats"}
	const untimely = `PodCertificateRequest.certificates.k8s.io "r" is invalid: status.notBefore: Invalid value: "2026-11-29T`
	answer := Attributes{Operation: Update, Subresource: "status", Old: request(), Object: request("Issued")}
	const refused = `PodCertificateRequest.certificates.k8s.io "r" is invalid: spec.signerName: Forbidden: User "alice" is not permitted to "sign" for signer "example.com/boats"`
	for name, c := range map[string]struct {
		may  roles
		a    Attributes
		want string
	}{
		"answering takes a permission":           {nil, answer, refused},
		"that of the signer is one":              {roles{"sign signers /example.com/boats"}, answer, ""},
		"and that of all of its domain":          {roles{"sign signers /example.com/*"}, answer, ""},
		"that of attesting is none":              {roles{"attest signers /example.com/boats"}, answer, refused},
		"denying is an answer as well":           {nil, Attributes{Operation: Update, Subresource: "status", Old: request(), Object: request("Denied")}, refused},
		"a certificate is valid from now on":     {may, valid(now), ""},
		"or from four minutes ago":               {may, valid(now.Add(-4 * time.Minute)), ""},
		"not from five minutes ago":              {may, valid(now.Add(-5 * time.Minute)), untimely + `11:55:00Z": must be set to within 5 minutes of kube-apiserver's current time`},
		"nor from in five minutes, whoever asks": {nil, valid(now.Add(5 * time.Minute)), untimely + `12:05:00Z": must be set to within 5 minutes of kube-apiserver's current time`},
		"what changes nothing is none":           {nil, Attributes{Operation: Update, Subresource: "status", Old: request("Issued"), Object: request("Issued")}, ""},
		"nor is a change of the request":         {nil, Attributes{Operation: Update, Old: request(), Object: request()}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := c.a
			a.Kind, a.Name, a.User = kindOf("certificates.k8s.io", "podcertificaterequests"), "r", &user.DefaultInfo{Name: "alice"}
			a.Kind.Kind = "PodCertificateRequest"
			got := ""
			if err := (PodCertificateSigning{c.may, func() time.Time { return now }}).Validate(context.Background(), &a); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
