package catalog

import (
	"fmt"
	"time"

	metavalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/api/validation/path"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

func apiregistrationKinds() []*Kind {
	gv := apiregistrationv1.SchemeGroupVersion
	return []*Kind{
		row[apiregistrationv1.APIService, apiregistrationv1.APIServiceList](gv, Kind{
			Resource:     "apiservices",
			Categories:   inExtensions(),
			Subresources: onlyStatus(),
			Strategy: Strategy{
				Default:              on(defaultAPIService),
				PrepareForCreate:     on(prepareAPIService),
				ChecksMetadata:       true,
				ValidateName:         path.ValidatePathSegmentName,
				Validate:             check(validateAPIService),
				ValidateStatusUpdate: checkChange(validateAPIServiceStatus),
				RequireVersion:       true,
			},
			Table: table(apiServiceCells,
				nameColumn(),
				column("Service", "string", "The reference to the service that hosts this API endpoint."),
				column("Available", "string", "Whether this service is available."),
				ageColumn()),
		}),
	}
}

func defaultAPIService(a *apiregistrationv1.APIService) {
	if s := a.Spec.Service; s != nil {
		setDefault(&s.Port, 443)
	}
}

// prepareAPIService marks what this server serves itself as available at once.
func prepareAPIService(a *apiregistrationv1.APIService) {
	a.Status = apiregistrationv1.APIServiceStatus{}
	if a.Spec.Service == nil {
		a.Status.Conditions = []apiregistrationv1.APIServiceCondition{{
			Type: apiregistrationv1.Available, Status: apiregistrationv1.ConditionTrue, LastTransitionTime: metav1.Now(),
			Reason: "Local", Message: "Local APIServices are always available",
		}}
	}
}

// Source of the sentences: k8s.io/kube-aggregator/pkg/apis/apiregistration/validation.
func validateAPIService(a *apiregistrationv1.APIService, root *field.Path) errorList {
	s, at := &a.Spec, child(root, "spec")
	errs := metavalidation.ValidateObjectMeta(&a.ObjectMeta, false, func(name string, _ bool) []string {
		if wrong := path.IsValidPathSegmentName(name); len(wrong) > 0 {
			return wrong
		}
		if want := s.Version + "." + s.Group; name != want {
			return []string{fmt.Sprintf("must be `spec.version+\".\"+spec.group`: %q", want)}
		}
		return nil
	}, child(root, "metadata"))
	switch {
	case s.Group != "":
		errs = append(errs, invalidEach(child(at, "group"), s.Group, isDNSSubdomain(s.Group))...)
	case s.Version != "v1":
		errs = append(errs, field.Required(child(at, "group"), "only v1 may have an empty group and it better be legacy kube"))
	}
	errs = append(errs, invalidEach(child(at, "version"), s.Version, validation.IsDNS1035Label(s.Version))...)
	errs = append(errs, validatePriority(s.GroupPriorityMinimum, 20000, child(at, "groupPriorityMinimum"))...)
	errs = append(errs, validatePriority(s.VersionPriority, 1000, child(at, "versionPriority"))...)
	if s.Service == nil {
		return append(errs, validateLocalAPIService(s, at)...)
	}
	if s.Service.Namespace == "" {
		errs = append(errs, field.Required(child(at, "service", "namespace"), ""))
	}
	if s.Service.Name == "" {
		errs = append(errs, field.Required(child(at, "service", "name"), ""))
	}
	for _, text := range validation.IsValidPortNum(int(value(s.Service.Port))) {
		errs = append(errs, field.Invalid(child(at, "service", "port"), value(s.Service.Port), "port is not valid: "+text))
	}
	if s.InsecureSkipTLSVerify && len(s.CABundle) > 0 {
		errs = append(errs, field.Invalid(child(at, "insecureSkipTLSVerify"), true, "may not be true if caBundle is present"))
	}
	return errs
}

func validatePriority(n, most int32, path *field.Path) errorList {
	if n > 0 && n <= most {
		return nil
	}
	return errorList{field.Invalid(path, n, fmt.Sprintf("must be positive and less than %d", most))}
}

// validateLocalAPIService refuses TLS settings for what is not reached over the network.
func validateLocalAPIService(s *apiregistrationv1.APIServiceSpec, path *field.Path) errorList {
	var errs errorList
	if len(s.CABundle) > 0 {
		errs = append(errs, field.Invalid(child(path, "caBundle"), fmt.Sprintf("%d bytes", len(s.CABundle)), "local APIServices may not have a caBundle"))
	}
	if s.InsecureSkipTLSVerify {
		errs = append(errs, field.Invalid(child(path, "insecureSkipTLSVerify"), true, "local APIServices may not have insecureSkipTLSVerify"))
	}
	return errs
}

func validateAPIServiceStatus(a, _ *apiregistrationv1.APIService, root *field.Path) errorList {
	var errs errorList
	for i, c := range a.Status.Conditions {
		switch c.Status {
		case apiregistrationv1.ConditionTrue, apiregistrationv1.ConditionFalse, apiregistrationv1.ConditionUnknown:
		default:
			errs = append(errs, field.NotSupported(child(nth(child(root, "status", "conditions"), i), "status"), c.Status, []apiregistrationv1.ConditionStatus{
				apiregistrationv1.ConditionTrue, apiregistrationv1.ConditionFalse, apiregistrationv1.ConditionUnknown}))
		}
	}
	return errs
}

func apiServiceCells(a *apiregistrationv1.APIService, now time.Time) []any {
	service := "Local"
	if s := a.Spec.Service; s != nil {
		service = s.Namespace + "/" + s.Name
	}
	available := string(apiregistrationv1.ConditionUnknown)
	for _, c := range a.Status.Conditions {
		if c.Type != apiregistrationv1.Available {
			continue
		}
		available = string(c.Status)
		if c.Status != apiregistrationv1.ConditionTrue && c.Reason != "" {
			available = fmt.Sprintf("%s (%s)", c.Status, c.Reason)
		}
		break
	}
	return []any{a.Name, service, available, Age(a.CreationTimestamp, now)}
}
