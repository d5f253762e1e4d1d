package apiserver

import (
	"net/http"
	"slices"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/apiserver/authz"
	"coracle/apiserver/wire"
	"coracle/authn"
	"coracle/rbac"
)

// Reviews are questions in the form of objects: they are answered, never stored.

// review is the function for a review kind, nil for other kinds.
func (c *call) review() func(*call) error {
	if c.info.Verb != "create" || c.info.Name != "" {
		return nil
	}
	switch {
	case c.kind.Group == authenticationv1.GroupName:
		switch c.kind.Resource {
		case "tokenreviews":
			return (*call).tokenReview
		case "selfsubjectreviews":
			return (*call).selfSubjectReview
		}
	case c.kind.Group == authorizationv1.GroupName:
		switch c.kind.Resource {
		case "subjectaccessreviews":
			return (*call).subjectAccessReview
		case "localsubjectaccessreviews":
			return (*call).localSubjectAccessReview
		case "selfsubjectaccessreviews":
			return (*call).selfSubjectAccessReview
		case "selfsubjectrulesreviews":
			return (*call).selfSubjectRulesReview
		}
	}
	return nil
}

// decodeReview reads the question.
func (c *call) decodeReview(into runtime.Object) (wire.Format, error) {
	f, err := wire.Negotiate(c.r, wire.Offer{})
	if err != nil {
		return f, err
	}
	var opts metav1.CreateOptions
	if err := decodeOptions(c.r.URL.Query(), &opts); err != nil {
		return f, err
	}
	return f, c.decode(into, c.kind.GroupVersionKind, opts.FieldValidation)
}

// tokenReview says whose a token is, to webhooks and other servers that were handed it.
func (c *call) tokenReview() error {
	review := &authenticationv1.TokenReview{}
	f, err := c.decodeReview(review)
	if err != nil {
		return err
	}
	if review.Spec.Token == "" {
		return apierrors.NewBadRequest("token is required for TokenReview in authentication")
	}
	header := http.Header{"Authorization": {"Bearer " + review.Spec.Token}}
	result := c.Authn.Review(c.r.Context(), &authn.Credentials{Header: header, Path: "/"}, review.Spec.Audiences)
	review.Status = authenticationv1.TokenReviewStatus{}
	if result.User != nil {
		review.Status.Authenticated = true
		review.Status.User = userInfo(result.User)
		review.Status.Audiences = result.Audiences
	} else if why := result.Error(); why != nil {
		review.Status.Error = why.Error()
	}
	c.send(c.w, f, http.StatusCreated, review)
	return nil
}

// selfSubjectReview is `kubectl auth whoami`.
func (c *call) selfSubjectReview() error {
	review := &authenticationv1.SelfSubjectReview{}
	f, err := c.decodeReview(review)
	if err != nil {
		return err
	}
	review.CreationTimestamp = metav1.NewTime(c.Now()).Rfc3339Copy()
	review.Status.UserInfo = userInfo(userOf(c.r))
	c.send(c.w, f, http.StatusCreated, review)
	return nil
}

func userInfo(u user.Info) authenticationv1.UserInfo {
	info := authenticationv1.UserInfo{Username: u.GetName(), UID: u.GetUID(), Groups: u.GetGroups()}
	for k, v := range u.GetExtra() {
		if info.Extra == nil {
			info.Extra = map[string]authenticationv1.ExtraValue{}
		}
		info.Extra[k] = v
	}
	return info
}

// subjectAccessReview asks whether somebody may do something.
func (c *call) subjectAccessReview() error {
	review := &authorizationv1.SubjectAccessReview{}
	f, err := c.decodeReview(review)
	if err != nil {
		return err
	}
	if errs := validateReview(review.Spec); len(errs) > 0 {
		return apierrors.NewInvalid(c.kind.GroupKind(), "", errs)
	}
	review.Status = c.judge(reviewed(review.Spec))
	c.send(c.w, f, http.StatusCreated, review)
	return nil
}

// localSubjectAccessReview is the same question within one namespace, so that the right to ask it can be granted there.
func (c *call) localSubjectAccessReview() error {
	review := &authorizationv1.LocalSubjectAccessReview{}
	f, err := c.decodeReview(review)
	if err != nil {
		return err
	}
	errs := validateReview(review.Spec)
	switch r := review.Spec.ResourceAttributes; {
	case review.Spec.NonResourceAttributes != nil:
		errs = append(errs, field.Invalid(field.NewPath("spec.nonResourceAttributes"), review.Spec.NonResourceAttributes, "disallowed on this kind of request"))
	case r != nil && r.Namespace != c.info.Namespace:
		errs = append(errs, field.Invalid(field.NewPath("spec.resourceAttributes.namespace"), r.Namespace, "must match metadata.namespace"))
	}
	if len(errs) > 0 {
		return apierrors.NewInvalid(c.kind.GroupKind(), "", errs)
	}
	review.Namespace = c.info.Namespace
	review.Status = c.judge(reviewed(review.Spec))
	c.send(c.w, f, http.StatusCreated, review)
	return nil
}

// selfSubjectAccessReview is `kubectl auth can-i`.
func (c *call) selfSubjectAccessReview() error {
	review := &authorizationv1.SelfSubjectAccessReview{}
	f, err := c.decodeReview(review)
	if err != nil {
		return err
	}
	spec := authorizationv1.SubjectAccessReviewSpec{
		ResourceAttributes: review.Spec.ResourceAttributes, NonResourceAttributes: review.Spec.NonResourceAttributes,
	}
	if errs := validateQuestion(spec); len(errs) > 0 {
		return apierrors.NewInvalid(c.kind.GroupKind(), "", errs)
	}
	a := reviewed(spec)
	a.User = userOf(c.r)
	review.Status = c.judge(a)
	c.send(c.w, f, http.StatusCreated, review)
	return nil
}

// selfSubjectRulesReview is `kubectl auth can-i --list`.
func (c *call) selfSubjectRulesReview() error {
	review := &authorizationv1.SelfSubjectRulesReview{}
	f, err := c.decodeReview(review)
	if err != nil {
		return err
	}
	if review.Spec.Namespace == "" {
		return apierrors.NewBadRequest("no namespace on request")
	}
	rules := c.Authz.RulesFor(userOf(c.r), review.Spec.Namespace)
	review.Status = authorizationv1.SubjectRulesReviewStatus{
		ResourceRules: rules.Resource, NonResourceRules: rules.NonResource, Incomplete: rules.Incomplete,
	}
	if rules.Err != nil {
		review.Status.EvaluationError = rules.Err.Error()
	}
	c.send(c.w, f, http.StatusCreated, review)
	return nil
}

// judge asks the authorizers without leaving a trace in this request's own record.
func (c *call) judge(a *rbac.Attributes) authorizationv1.SubjectAccessReviewStatus {
	answer := c.Authz.Ask(c.r.Context(), a)
	status := authorizationv1.SubjectAccessReviewStatus{
		Allowed: answer.Verdict == authz.Allow,
		Denied:  answer.Verdict == authz.Deny,
		Reason:  answer.Reason(),
	}
	if answer.Err != nil {
		status.EvaluationError = answer.Err.Error()
	}
	return status
}

func validateReview(spec authorizationv1.SubjectAccessReviewSpec) field.ErrorList {
	errs := validateQuestion(spec)
	if spec.User == "" && len(spec.Groups) == 0 {
		errs = append(errs, field.Invalid(field.NewPath("spec.user"), spec.User, "at least one of user or group must be specified"))
	}
	return errs
}

func validateQuestion(spec authorizationv1.SubjectAccessReviewSpec) field.ErrorList {
	var errs field.ErrorList
	r, n := spec.ResourceAttributes, spec.NonResourceAttributes
	switch {
	case r != nil && n != nil:
		errs = append(errs, field.Invalid(field.NewPath("spec.nonResourceAttributes"), n, "cannot be specified in combination with resourceAttributes"))
	case r == nil && n == nil:
		errs = append(errs, field.Invalid(field.NewPath("spec.resourceAttributes"), r, "exactly one of nonResourceAttributes or resourceAttributes must be specified"))
	}
	return errs
}

// reviewed turns a question into what authorizers look at.
func reviewed(spec authorizationv1.SubjectAccessReviewSpec) *rbac.Attributes {
	u := &user.DefaultInfo{Name: spec.User, UID: spec.UID, Groups: spec.Groups}
	for k, v := range spec.Extra {
		if u.Extra == nil {
			u.Extra = map[string][]string{}
		}
		u.Extra[k] = slices.Clone(v)
	}
	a := &rbac.Attributes{User: u}
	if r := spec.ResourceAttributes; r != nil {
		a.ResourceRequest = true
		a.Verb, a.APIGroup, a.APIVersion = r.Verb, r.Group, r.Version
		a.Resource, a.Subresource = r.Resource, r.Subresource
		a.Namespace, a.Name = r.Namespace, r.Name
		a.FieldSelector, a.LabelSelector = fieldRequirements(r.FieldSelector), labelRequirements(r.LabelSelector)
		return a
	}
	if n := spec.NonResourceAttributes; n != nil {
		a.Verb, a.Path = n.Verb, n.Path
	}
	return a
}

func fieldRequirements(s *authorizationv1.FieldSelectorAttributes) fields.Requirements {
	if s == nil {
		return nil
	}
	if s.RawSelector != "" {
		sel, err := fields.ParseSelector(s.RawSelector)
		if err != nil {
			return nil
		}
		return sel.Requirements()
	}
	var out fields.Requirements
	for _, q := range s.Requirements {
		if len(q.Values) != 1 {
			continue
		}
		op := selection.Equals
		if q.Operator == metav1.FieldSelectorOpNotIn {
			op = selection.NotEquals
		}
		out = append(out, fields.Requirement{Field: q.Key, Operator: op, Value: q.Values[0]})
	}
	return out
}

func labelRequirements(s *authorizationv1.LabelSelectorAttributes) labels.Requirements {
	if s == nil {
		return nil
	}
	if s.RawSelector != "" {
		sel, err := labels.Parse(s.RawSelector)
		if err != nil {
			return nil
		}
		reqs, _ := sel.Requirements()
		return reqs
	}
	sel, err := metav1.LabelSelectorAsSelector(&metav1.LabelSelector{MatchExpressions: s.Requirements})
	if err != nil {
		return nil
	}
	reqs, _ := sel.Requirements()
	return reqs
}
