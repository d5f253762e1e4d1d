package catalog

import (
	"crypto/tls"
	"encoding/json"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func secretKind() *Kind {
	return row[corev1.Secret, corev1.SecretList](corev1.SchemeGroupVersion, Kind{
		Resource:   "secrets",
		Namespaced: true,
		Strategy: Strategy{
			Default:    on(defaultSecret),
			Validate:   check(validateSecret),
			Revalidate: checkChange(validateSecretChange),
			Warnings:   warnings(secretWarnings),
		},
		Table: table(func(s *corev1.Secret, now time.Time) []any {
			return []any{s.Name, string(s.Type), count(len(s.Data)), Age(s.CreationTimestamp, now)}
		},
			nameColumn(),
			column("Type", "string", corev1.Secret{}.SwaggerDoc()["type"]),
			column("Data", "string", corev1.Secret{}.SwaggerDoc()["data"]),
			ageColumn(),
		),
		FieldNames: []string{"type"},
		Fields:     fieldsOf(func(s *corev1.Secret) fields.Set { return fields.Set{"type": string(s.Type)} }),
	})
}

// defaultSecret moves what was given as text to where it is kept, and never shows it as text again.
func defaultSecret(s *corev1.Secret) {
	setDefaultValue(&s.Type, corev1.SecretTypeOpaque)
	if len(s.StringData) > 0 && s.Data == nil {
		s.Data = map[string][]byte{}
	}
	for key, text := range s.StringData {
		s.Data[key] = []byte(text)
	}
	s.StringData = nil
}

// validateSecret checks the keys, and that what a type promises is there. Values are never repeated in errors.
func validateSecret(s *corev1.Secret, root *field.Path) errorList {
	var errs errorList
	data := child(root, "data")
	size := 0
	for key, value := range sorted(s.Data).each {
		errs = append(errs, invalidEach(keyed(data, key), key, validation.IsConfigMapKey(key))...)
		size += len(value)
	}
	if size > corev1.MaxSecretSize {
		errs = append(errs, field.TooLong(data, "", corev1.MaxSecretSize))
	}
	need := func(keys ...string) {
		for _, key := range keys {
			if _, ok := s.Data[key]; !ok {
				errs = append(errs, field.Required(keyed(data, key), ""))
			}
		}
	}
	switch s.Type {
	case corev1.SecretTypeServiceAccountToken:
		if s.Annotations[corev1.ServiceAccountNameKey] == "" {
			errs = append(errs, field.Required(keyed(child(root, "metadata", "annotations"), corev1.ServiceAccountNameKey), ""))
		}
	case corev1.SecretTypeDockercfg:
		errs = append(errs, validateJSONKey(s, corev1.DockerConfigKey, data)...)
	case corev1.SecretTypeDockerConfigJson:
		errs = append(errs, validateJSONKey(s, corev1.DockerConfigJsonKey, data)...)
	case corev1.SecretTypeBasicAuth:
		_, user := s.Data[corev1.BasicAuthUsernameKey]
		if _, password := s.Data[corev1.BasicAuthPasswordKey]; !user && !password {
			need(corev1.BasicAuthUsernameKey, corev1.BasicAuthPasswordKey)
		}
	case corev1.SecretTypeSSHAuth:
		if len(s.Data[corev1.SSHAuthPrivateKey]) == 0 {
			errs = append(errs, field.Required(keyed(data, corev1.SSHAuthPrivateKey), ""))
		}
	case corev1.SecretTypeTLS:
		need(corev1.TLSCertKey, corev1.TLSPrivateKeyKey)
	}
	return errs
}

func validateJSONKey(s *corev1.Secret, key string, data *field.Path) errorList {
	b, ok := s.Data[key]
	if !ok {
		return errorList{field.Required(keyed(data, key), "")}
	}
	if err := json.Unmarshal(b, &map[string]any{}); err != nil {
		return errorList{field.Invalid(keyed(data, key), "<secret contents redacted>", err.Error())}
	}
	return nil
}

// validateSecretChange: a Secret's type stays, for what trusts it has asked for the type: else an Opaque Secret that
// somebody may write could become a service account's token.
func validateSecretChange(s, old *corev1.Secret, root *field.Path) errorList {
	errs := unchanged(child(root, "type"), s.Type, old.Type)
	if value(old.Immutable) {
		errs = append(errs, stays(child(root, "immutable"), value(s.Immutable))...)
		errs = append(errs, stays(child(root, "data"), equality.Semantic.DeepEqual(s.Data, old.Data))...)
	}
	return append(errs, validateSecret(s, root)...)
}

// secretWarnings: a certificate without its key is of no use.
func secretWarnings(s, _ *corev1.Secret, _ *field.Path) []string {
	if s.Type != corev1.SecretTypeTLS {
		return nil
	}
	if _, err := tls.X509KeyPair(s.Data[corev1.TLSCertKey], s.Data[corev1.TLSPrivateKeyKey]); err != nil {
		return []string{err.Error()}
	}
	return nil
}
