package catalog

import (
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func serviceAccountKind() *Kind {
	tokenRequest := authenticationv1.SchemeGroupVersion.WithKind("TokenRequest")
	return row[corev1.ServiceAccount, corev1.ServiceAccountList](corev1.SchemeGroupVersion, Kind{
		Resource:      "serviceaccounts",
		ShortNames:    []string{"sa"},
		Namespaced:    true,
		ReturnDeleted: true,
		Subresources: []Subresource{{
			Name: "token", Verbs: []string{"create"}, Kind: tokenRequest, New: maker[authenticationv1.TokenRequest](tokenRequest),
		}},
		Strategy: Strategy{
			PrepareForCreate: on(namesOnly),
			PrepareForUpdate: onChange(func(a, _ *corev1.ServiceAccount) { namesOnly(a) }),
			ValidateName:     validation.ValidateServiceAccountName,
			Warnings:         warnings(serviceAccountWarnings),
		},
		Table: table(func(a *corev1.ServiceAccount, now time.Time) []any {
			return []any{a.Name, Age(a.CreationTimestamp, now)}
		}, nameColumn(), ageColumn()),
	})
}

// namesOnly: an account's secrets are of its own namespace, and known by name.
func namesOnly(a *corev1.ServiceAccount) {
	for i, ref := range a.Secrets {
		a.Secrets[i] = corev1.ObjectReference{Name: ref.Name}
	}
}

func serviceAccountWarnings(a, old *corev1.ServiceAccount, root *field.Path) []string {
	const key = "kubernetes.io/enforce-mountable-secrets"
	if old != nil {
		if _, ok := old.Annotations[key]; ok {
			return nil
		}
	}
	if _, ok := a.Annotations[key]; !ok {
		return nil
	}
	return []string{fmt.Sprintf("%s: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets",
		keyed(child(root, "metadata", "annotations"), key))}
}
