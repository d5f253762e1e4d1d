package apiserver

import (
	"fmt"
	"net/http"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"coracle/apiserver/catalog"
)

// Tokens issues service-account tokens.
type Tokens interface {
	// Bound makes a token for an account.
	Bound(r TokenRequest) (string, error)
	// Audiences are the server's own: those of a token that was asked for without any.
	Audiences() []string
	// Issuer and JWKS are what relying parties fetch to verify tokens (OpenID Connect Discovery 1.0).
	Issuer() ([]byte, error)
	JWKS() ([]byte, error)
	// MinLifetime is how long a token that is asked for has to live at least.
	MinLifetime() time.Duration
	// MaxLifetime is how long a token that is asked for may live at most; 0 for any time.
	MaxLifetime() time.Duration
	// Extended tells whether tokens that pods get of their own accord live a year; see extendedTokenSeconds.
	Extended() bool
}

// TokenRequest is what a bound token says.
type TokenRequest struct {
	Account   *corev1.ServiceAccount
	Pod       *corev1.Pod // at most one of Pod and Secret is set; Node alone, or beside Pod
	Secret    *corev1.Secret
	Node      *corev1.Node
	Audiences []string
	IssuedAt  time.Time
	Lifetime  time.Duration
	// WarnAfter is when a token that is longer-lived than asked for begins to be noted as stale; 0 for never.
	WarnAfter time.Duration
}

const (
	maxTokenSeconds = 1 << 32
	// Tokens that pods get of their own accord live a year, and are noted as stale after the hour asked
	// for, so that old clients that read the file once do not break (KEP-1205).
	podTokenSeconds      = 60*60 + 7
	extendedTokenSeconds = 60 * 60 * 24 * 365
)

// token answers `kubectl create token` and the kubelets: a token for an account, bound to an object if one is named.
// Source: k8s.io/kubernetes/pkg/registry/core/serviceaccount/storage/token.go.
func (c *call) token() error {
	req := &authenticationv1.TokenRequest{}
	f, opts, err := c.decodeCreate(req)
	if err != nil {
		return err
	}
	// Before the defaults: NodeRestriction must tell the audience that a node asked for from none.
	asked := c.posted(req, opts)
	if err := c.Admission.Mutate(c.r.Context(), asked); err != nil {
		return err
	}
	if err := c.checkTokenName(req); err != nil {
		return err
	}
	account := c.Registry.ServiceAccount(c.info.Namespace, c.info.Name)
	if account == nil {
		return apierrors.NewNotFound(c.kind.Qualified(), c.info.Name)
	}
	if req.UID != "" && req.UID != account.UID {
		return apierrors.NewConflict(schema.GroupResource{Group: c.sub.Kind.Group, Resource: c.sub.Kind.Kind}, c.info.Name,
			fmt.Errorf("the UID in the token request (%s) does not match the UID of the service account (%s)", req.UID, account.UID))
	}
	if len(req.Spec.Audiences) == 0 {
		req.Spec.Audiences = c.Tokens.Audiences()
	}
	if req.Spec.ExpirationSeconds == nil {
		req.Spec.ExpirationSeconds = new(int64(60 * 60))
	}
	now := c.Now()
	req.Name, req.Namespace, req.UID = account.Name, account.Namespace, account.UID
	req.CreationTimestamp = metav1.NewTime(now).Rfc3339Copy()
	req.Status = authenticationv1.TokenRequestStatus{}
	if errs := validateTokenRequest(req, c.Tokens.MinLifetime()); len(errs) > 0 {
		return apierrors.NewInvalid(c.sub.Kind.GroupKind(), "", catalog.Told(errs))
	}
	if err := c.Admission.Validate(c.r.Context(), asked); err != nil {
		return err
	}
	if most := int64(c.Tokens.MaxLifetime() / time.Second); most > 0 && *req.Spec.ExpirationSeconds > most {
		warn(c.r.Context(), fmt.Sprintf("requested expiration of %d seconds shortened to %d seconds", *req.Spec.ExpirationSeconds, most))
		req.Spec.ExpirationSeconds = &most
	}
	seconds := *req.Spec.ExpirationSeconds
	t := TokenRequest{Account: account, Audiences: req.Spec.Audiences, IssuedAt: now, Lifetime: time.Duration(seconds) * time.Second}
	if err := c.bindToken(&t, req.Spec.BoundObjectRef); err != nil {
		return err
	}
	if c.Tokens.Extended() && t.Pod != nil && seconds == podTokenSeconds && subset(req.Spec.Audiences, c.Tokens.Audiences()) {
		t.WarnAfter, t.Lifetime = t.Lifetime, extendedTokenSeconds*time.Second
	}
	if req.Status.Token, err = c.Tokens.Bound(t); err != nil {
		return apierrors.NewInternalError(fmt.Errorf("failed to generate token: %w", err))
	}
	auditIssued(c.r.Context(), req.Status.Token)
	req.Status.ExpirationTimestamp = metav1.NewTime(now.Add(time.Duration(seconds) * time.Second)).Rfc3339Copy()
	c.send(c.w, f, http.StatusCreated, req)
	return nil
}

func (c *call) checkTokenName(req *authenticationv1.TokenRequest) error {
	var errs field.ErrorList
	if req.Name != "" && req.Name != c.info.Name {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), req.Name, "must match the service account name if specified"))
	} else if req.Namespace != "" && req.Namespace != c.info.Namespace {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "namespace"), req.Namespace, "must match the service account namespace if specified"))
	}
	if len(errs) > 0 {
		return apierrors.NewInvalid(c.sub.Kind.GroupKind(), c.info.Name, catalog.Told(errs))
	}
	return nil
}

func validateTokenRequest(req *authenticationv1.TokenRequest, least time.Duration) field.ErrorList {
	var errs field.ErrorList
	path := field.NewPath("spec", "expirationSeconds")
	switch seconds := *req.Spec.ExpirationSeconds; {
	case seconds < int64(least/time.Second):
		errs = append(errs, field.Invalid(path, seconds, "may not specify a duration less than "+inWords(least)))
	case seconds > maxTokenSeconds:
		errs = append(errs, field.Invalid(path, seconds, "may not specify a duration larger than 2^32 seconds"))
	}
	return errs
}

// inWords is Kubernetes' 10 minutes, or another time.
func inWords(d time.Duration) string {
	if d%time.Minute == 0 {
		return fmt.Sprintf("%d minutes", d/time.Minute)
	}
	return d.String()
}

// bindToken finds the object that the token is to die with.
func (c *call) bindToken(t *TokenRequest, ref *authenticationv1.BoundObjectReference) error {
	if ref == nil {
		return nil
	}
	ns := c.info.Namespace
	gvk := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind)
	notFound := func(resource string) error {
		return apierrors.NewNotFound(schema.GroupResource{Resource: resource}, ref.Name)
	}
	var uid types.UID
	switch {
	case gvk.Group == "" && gvk.Kind == "Pod":
		pod := c.Registry.Pod(ns, ref.Name)
		if pod == nil {
			return notFound("pods")
		}
		if pod.Spec.ServiceAccountName != c.info.Name {
			return apierrors.NewBadRequest(fmt.Sprintf("cannot bind token for serviceaccount %q to pod running with different serviceaccount name.", c.info.Name))
		}
		t.Pod, uid = pod, pod.UID
		if name := pod.Spec.NodeName; name != "" {
			if t.Node = c.Registry.Node(name); t.Node == nil {
				t.Node = &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
			}
		}
	case gvk.Group == "" && gvk.Kind == "Node":
		if t.Node = c.Registry.Node(ref.Name); t.Node == nil {
			return notFound("nodes")
		}
		uid = t.Node.UID
	case gvk.Group == "" && gvk.Kind == "Secret":
		if t.Secret = c.Registry.Secret(ns, ref.Name); t.Secret == nil {
			return notFound("secrets")
		}
		uid = t.Secret.UID
	default:
		return apierrors.NewBadRequest(fmt.Sprintf("cannot bind token to object of type %s", gvk.String()))
	}
	if ref.UID != "" && ref.UID != uid {
		return apierrors.NewConflict(schema.GroupResource{Group: gvk.Group, Resource: gvk.Kind}, ref.Name,
			fmt.Errorf("the UID in the bound object reference (%s) does not match the UID in record. The object might have been deleted and then recreated", ref.UID))
	}
	return nil
}

func subset(some, all []string) bool {
	for _, s := range some {
		if !allows(all, s) {
			return false
		}
	}
	return true
}
