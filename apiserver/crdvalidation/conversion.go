package crdvalidation

import (
	"bytes"
	"crypto/x509"
	"net/url"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validateConversion checks how objects are converted between versions. A fresh definition's authorities may still be
// wrong: whoever writes them in often comes later.
func validateConversion(c *apiextensions.CustomResourceConversion, fresh bool, at *field.Path) field.ErrorList {
	if c == nil {
		return nil
	}
	errs := neededOneOf(at.Child("strategy"), string(c.Strategy), "None", "Webhook")
	client := at.Child("webhookClientConfig")
	if c.Strategy != apiextensions.WebhookConverter {
		if c.WebhookClientConfig != nil {
			errs = append(errs, field.Forbidden(client, "should not be set when strategy is not set to Webhook"))
		}
		if len(c.ConversionReviewVersions) > 0 {
			errs = append(errs, field.Forbidden(at.Child("conversionReviewVersions"), "should not be set when strategy is not set to Webhook"))
		}
		return errs
	}
	switch w := c.WebhookClientConfig; {
	case w == nil:
		errs = append(errs, field.Required(client, "required when strategy is set to Webhook"))
	default:
		switch {
		case (w.URL == nil) == (w.Service == nil):
			errs = append(errs, field.Required(client, "exactly one of url or service is required"))
		case w.URL != nil:
			errs = append(errs, validateURL(*w.URL, client.Child("url"))...)
		default:
			errs = append(errs, validateService(w.Service, client.Child("service"))...)
		}
		if bundle := bytes.TrimSpace(w.CABundle); len(bundle) > 0 && !fresh && !x509.NewCertPool().AppendCertsFromPEM(bundle) {
			errs = append(errs, field.Invalid(client.Child("caBundle"), w.CABundle, "unable to load root certificates: unable to parse bytes as PEM block"))
		}
	}
	return append(errs, validateReviewVersions(c.ConversionReviewVersions, at.Child("conversionReviewVersions"))...)
}

func validateReviewVersions(versions []string, at *field.Path) field.ErrorList {
	if len(versions) == 0 {
		return field.ErrorList{field.Required(at, "")}
	}
	var errs field.ErrorList
	seen := sets.Set[string]{}
	for i, v := range versions {
		if seen.Has(v) {
			errs = append(errs, field.Invalid(at.Index(i), v, "duplicate version"))
			continue
		}
		seen.Insert(v)
		for _, wrong := range validation.IsDNS1035Label(v) {
			errs = append(errs, field.Invalid(at.Index(i), v, wrong))
		}
	}
	if !seen.HasAny("v1", "v1beta1") {
		errs = append(errs, field.Invalid(at, versions, "must include at least one of v1, v1beta1"))
	}
	return errs
}

// Source: k8s.io/apiserver/pkg/util/webhook/validation.go.
func validateURL(text string, at *field.Path) field.ErrorList {
	const form = "; desired format: https://host[/path]"
	u, err := url.Parse(text)
	if err != nil {
		return field.ErrorList{field.Required(at, "url must be a valid URL: "+err.Error()+form)}
	}
	var errs field.ErrorList
	if u.Scheme != "https" {
		errs = append(errs, field.Invalid(at, u.Scheme, "'https' is the only allowed URL scheme"+form))
	}
	if u.Host == "" {
		errs = append(errs, field.Invalid(at, u.Host, "host must be specified"+form))
	}
	if u.User != nil {
		errs = append(errs, field.Invalid(at, u.User.String(), "user information is not permitted in the URL"))
	}
	if u.Fragment != "" {
		errs = append(errs, field.Invalid(at, u.Fragment, "fragments are not permitted in the URL"))
	}
	if u.RawQuery != "" {
		errs = append(errs, field.Invalid(at, u.RawQuery, "query parameters are not permitted in the URL"))
	}
	return errs
}

func validateService(s *apiextensions.ServiceReference, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if s.Name == "" {
		errs = append(errs, field.Required(at.Child("name"), ""))
	}
	if s.Namespace == "" {
		errs = append(errs, field.Required(at.Child("namespace"), ""))
	}
	if wrong := validation.IsValidPortNum(int(s.Port)); wrong != nil {
		errs = append(errs, field.Invalid(at.Child("port"), s.Port, "port is not valid: "+strings.Join(wrong, ", ")))
	}
	if s.Path != nil && *s.Path != "" && !strings.HasPrefix(*s.Path, "/") {
		errs = append(errs, field.Invalid(at.Child("path"), *s.Path, "must start with a '/'"))
	}
	return errs
}
