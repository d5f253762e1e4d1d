package apiserver

import (
	"net/http"
	"net/url"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternal "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metainternalscheme "k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme"
	metainternalvalidation "k8s.io/apimachinery/pkg/apis/meta/internalversion/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// decodeOptions reads a verb's parameters from the query.
func decodeOptions(q url.Values, into runtime.Object) error {
	if len(q) == 0 {
		return nil // as most of them
	}
	if err := metainternalscheme.ParameterCodec.DecodeParameters(q, metav1.SchemeGroupVersion, into); err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	var errs field.ErrorList
	kind := ""
	switch o := into.(type) {
	case *metav1.CreateOptions:
		kind, errs = "CreateOptions", metav1validation.ValidateCreateOptions(o)
	case *metav1.UpdateOptions:
		kind, errs = "UpdateOptions", metav1validation.ValidateUpdateOptions(o)
	}
	if len(errs) > 0 {
		return apierrors.NewInvalid(schema.GroupKind{Group: metav1.GroupName, Kind: kind}, "", errs)
	}
	return nil
}

// listOptions reads the parameters of list, watch and deletecollection.
func listOptions(r *http.Request) (*metainternal.ListOptions, error) {
	opts := &metainternal.ListOptions{}
	if err := metainternalscheme.ParameterCodec.DecodeParameters(r.URL.Query(), metav1.SchemeGroupVersion, opts); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	opts.Watch = opts.Watch || infoOf(r).Verb == "watch"
	metainternal.SetListOptionsDefaults(opts, true)
	if errs := metainternalvalidation.ValidateListOptions(opts, true); len(errs) > 0 {
		return nil, apierrors.NewInvalid(schema.GroupKind{Group: metav1.GroupName, Kind: "ListOptions"}, "", errs)
	}
	return opts, nil
}

// revisionOf reads a resourceVersion; "" and "0" are 0.
func revisionOf(resourceVersion string) (int64, error) {
	if resourceVersion == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(resourceVersion, 10, 63)
	if err != nil {
		return 0, plain(field.Invalid(field.NewPath("resourceVersion"), resourceVersion, err.Error()).Error())
	}
	return int64(n), nil
}

// reach waits until what is read is at least as new as a resourceVersion.
func (c *call) reach(resourceVersion string) error {
	n, err := revisionOf(resourceVersion)
	if err != nil || n == 0 {
		return err
	}
	return c.Registry.Reach(c.r.Context(), n)
}

func dryRun(asked []string) bool { return len(asked) > 0 }

func fieldValidation(asked string) string {
	if asked == "" {
		return metav1.FieldValidationWarn
	}
	return asked
}

// notConvertible refuses a form that the answer cannot be given in.
func notConvertible(why string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusNotAcceptable, Reason: metav1.StatusReasonNotAcceptable, Message: why,
	}}
}

// plain is an error that upstream answers as it is: 500, without a reason.
func plain(message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusInternalServerError, Message: message,
	}}
}
