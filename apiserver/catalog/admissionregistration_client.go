package catalog

import (
	"fmt"
	"net/url"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// How a webhook is reached. k8s.io/apiserver/pkg/util/webhook has these checks too, but brings gRPC with it.

// validateWebhookURL demands HTTPS, and nothing in the URL that could be a secret or be lost on the way.
func validateWebhookURL(text string, at *field.Path) errorList {
	const form = "; desired format: https://host[/path]"
	u, err := url.Parse(text)
	if err != nil {
		return errorList{field.Required(at, "url must be a valid URL: "+err.Error()+form)}
	}
	var errs errorList
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

// validateWebhookPath checks a path below a service: segments that are DNS subdomains.
func validateWebhookPath(path string, at *field.Path) errorList {
	switch path {
	case "", "/":
		return nil
	case "//":
		return errorList{field.Invalid(at, path, "segment[0] may not be empty")}
	}
	var errs errorList
	if !strings.HasPrefix(path, "/") {
		errs = append(errs, field.Invalid(at, path, "must start with a '/'"))
	}
	for i, segment := range strings.Split(strings.TrimSuffix(path[1:], "/"), "/") {
		if segment == "" {
			errs = append(errs, field.Invalid(at, path, fmt.Sprintf("segment[%d] may not be empty", i)))
			continue
		}
		for _, text := range isDNSSubdomain(segment) {
			errs = append(errs, field.Invalid(at, path, fmt.Sprintf("segment[%d]: %s", i, text)))
		}
	}
	return errs
}
