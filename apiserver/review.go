package apiserver

import (
	"net/http"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/apiserver/authz"
	"coracle/apiserver/wire"
	"coracle/authn"
)

// Reviews are questions in the form of objects: they are answered, never stored.

// review is the function for a review kind and for a Binding, nil for other kinds.
func (c *call) review() func(*call) error {
	if c.info.Verb != "create" || c.info.Name != "" {
		return nil
	}
	switch {
	case c.kind.Group == "" && c.kind.Resource == "bindings":
		return (*call).bindByName
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
	if err := c.decode(into, c.kind.GroupVersionKind, opts.FieldValidation); err != nil {
		return f, err
	}
	if m, err := meta.Accessor(into); err == nil && !c.kind.Namespaced {
		m.SetNamespace("")
	}
	return f, nil
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
	review.ObjectMeta = metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(c.Now()).Rfc3339Copy()}
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
	if err := c.checkReview(&review.ObjectMeta, validateReview(review.Spec)); err != nil {
		return err
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
	if r := review.Spec.ResourceAttributes; r != nil && r.Namespace != c.info.Namespace {
		errs = append(errs, field.Invalid(field.NewPath("spec.resourceAttributes.namespace"), r.Namespace, "must match metadata.namespace"))
	}
	if n := review.Spec.NonResourceAttributes; n != nil {
		errs = append(errs, field.Invalid(field.NewPath("spec.nonResourceAttributes"), shownPath(*n), "disallowed on this kind of request"))
	}
	if err := c.checkReview(&review.ObjectMeta, errs); err != nil {
		return err
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
	if err := c.checkReview(&review.ObjectMeta, validateQuestion(spec)); err != nil {
		return err
	}
	q := reviewed(spec)
	q.User = userOf(c.r)
	review.Status = c.judge(q)
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
	review.ObjectMeta, review.Spec = metav1.ObjectMeta{}, authorizationv1.SelfSubjectRulesReviewSpec{} // Kubernetes answers the status alone
	review.Status = authorizationv1.SubjectRulesReviewStatus{
		ResourceRules: rules.Resource, NonResourceRules: rules.NonResource, Incomplete: rules.Incomplete,
	}
	if rules.Err != nil {
		review.Status.EvaluationError = rules.Err.Error()
	}
	c.send(c.w, f, http.StatusCreated, review)
	return nil
}

// judge asks the authorizers without leaving a trace in this request's own record. An authorizer that cannot do its
// work is told of in the answer; it is not this request that failed.
func (c *call) judge(q question) authorizationv1.SubjectAccessReviewStatus {
	answer := c.Authz.Ask(c.r.Context(), &q.Attributes)
	return authorizationv1.SubjectAccessReviewStatus{
		Allowed:         answer.Verdict == authz.Allow,
		Denied:          answer.Verdict == authz.Deny,
		Reason:          answer.Reason(),
		EvaluationError: q.evaluationError(answer.Err),
	}
}
