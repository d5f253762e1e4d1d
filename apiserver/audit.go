package apiserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/golang-jwt/jwt/v5"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	k8saudit "k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"coracle/apiserver/decision"
	"coracle/apiserver/wire"
	"coracle/authn"
)

// withAudit gives a request an event to be filled in, where there is a log.
func (s *Server) withAudit(ctx context.Context, id string) context.Context {
	if s.AuditLog == nil {
		return ctx
	}
	ctx = k8saudit.WithAuditContext(ctx)
	k8saudit.WithAuditID(ctx, types.UID(id))
	return ctx
}

// audit writes down who asks for what, when the request comes, when a long answer begins, and when it ends.
// Source: k8s.io/apiserver/pkg/endpoints/filters/audit.go.
func (s *Server) audit(next http.Handler) http.Handler {
	if s.AuditLog == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		ac, err := s.beginAudit(r, userOf(r))
		if err != nil {
			s.failPlain(w, r, errors.New("failed to create audit event"))
			return
		}
		if !ac.Enabled() {
			next.ServeHTTP(w, r)
			return
		}
		if !ac.ProcessEventStage(ctx, auditinternal.StageRequestReceived) {
			k8saudit.ApiserverAuditDroppedCounter.WithContext(ctx).Inc()
			s.failPlain(w, r, errors.New("failed to store audit event"))
			return
		}
		long := longRunning(infoOf(r))
		defer func() {
			if p := recover(); p != nil {
				defer panic(p)
				ac.SetEventResponseStatus(&metav1.Status{
					Code: http.StatusInternalServerError, Status: metav1.StatusFailure, Reason: metav1.StatusReasonInternalError,
					Message: fmt.Sprintf("APIServer panic'd: %v", p),
				})
				ac.ProcessEventStage(ctx, auditinternal.StagePanic)
				return
			}
			if ac.GetEventResponseStatus() == nil {
				ac.SetEventResponseStatus(&metav1.Status{Code: http.StatusOK, Status: metav1.StatusSuccess, Message: "Connection closed early"})
				if long {
					ac.ProcessEventStage(ctx, auditinternal.StageResponseStarted)
				}
			}
			ac.ProcessEventStage(ctx, auditinternal.StageResponseComplete)
		}()
		next.ServeHTTP(&auditWriter{ResponseWriter: w, ctx: ctx, started: long, codec: s.Codec}, r)
	})
}

// auditFailure is the audit of a request whose sender is not known: one event, when 401 is answered.
func (s *Server) auditFailure(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	if s.AuditLog == nil {
		return w
	}
	ac, err := s.beginAudit(r, nil)
	if err != nil || !ac.Enabled() {
		return w
	}
	ac.SetEventResponseStatus(&metav1.Status{Message: attempted(r)})
	return &auditWriter{ResponseWriter: w, ctx: r.Context(), started: true, codec: s.Codec}
}

// beginAudit asks the policy, and fills in what is known of the request now.
func (s *Server) beginAudit(r *http.Request, u user.Info) (*k8saudit.AuditContext, error) {
	ctx, info := r.Context(), infoOf(r)
	ac := k8saudit.AuditContextFrom(ctx)
	about := authorizer.AttributesRecord{
		User: u, Verb: info.Verb, ResourceRequest: info.IsResourceRequest, Path: info.Path,
		Namespace: info.Namespace, APIGroup: info.APIGroup, APIVersion: info.APIVersion,
		Resource: info.Resource, Subresource: info.Subresource, Name: info.Name,
	}
	chosen := s.AuditLog.EvaluatePolicyRule(about)
	k8saudit.ObservePolicyLevel(ctx, chosen.Level)
	if err := ac.Init(chosen, s.AuditLog); err != nil {
		return nil, err
	}
	if chosen.Level != auditinternal.LevelNone {
		k8saudit.LogRequestMetadata(ctx, r, decision.From(ctx).Received, about)
	}
	return ac, nil
}

// attempted names the kinds of credentials that were brought.
func attempted(r *http.Request) string {
	var kinds []string
	if _, _, ok := r.BasicAuth(); ok {
		kinds = append(kinds, "basic")
	}
	if kind, _, ok := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " "); ok && strings.EqualFold(kind, "bearer") {
		kinds = append(kinds, "bearer")
	}
	if strings.TrimSpace(r.URL.Query().Get("access_token")) != "" {
		kinds = append(kinds, "access_token")
	}
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		kinds = append(kinds, "x509")
	}
	if len(kinds) == 0 {
		return "Authentication failed, no credentials provided"
	}
	return "Authentication failed, attempted: " + strings.Join(kinds, ", ")
}

// auditNotes adds what authenticators have to say about a credential.
func auditNotes(ctx context.Context, notes []authn.Note) {
	for _, n := range notes {
		k8saudit.AddAuditAnnotation(ctx, n.Key, n.Value)
	}
}

// auditVerdict adds what authorizers said. A reason that is an error is not told.
// Source: k8s.io/apiserver/pkg/endpoints/filters/authorization.go.
func auditVerdict(ctx context.Context, verdict string, reason func() string) {
	if ac := k8saudit.AuditContextFrom(ctx); ac == nil || !ac.Enabled() {
		return // wording a reason takes longer than finding it
	}
	const prefix = "authorization.k8s.io/"
	if verdict != "" {
		k8saudit.AddAuditAnnotation(ctx, prefix+"decision", verdict)
	}
	k8saudit.AddAuditAnnotation(ctx, prefix+"reason", reason())
}

// auditRequest keeps what a request's body said. With mine, what was left out of it is defaulted first, as it is in what
// follows.
func (c *call) auditRequest(obj runtime.Object, want schema.GroupVersionKind, mine bool) {
	ctx := c.r.Context()
	ac := k8saudit.AuditContextFrom(ctx)
	if ac == nil || !ac.Enabled() {
		return
	}
	whole := !ac.GetEventLevel().Less(auditinternal.LevelRequest)
	if whole && mine {
		obj = obj.DeepCopyObject()
		c.setDefaults(obj)
	}
	of := schema.GroupVersionResource{Group: c.info.APIGroup, Version: c.info.APIVersion, Resource: c.info.Resource}
	k8saudit.LogRequestObject(ctx, obj, want.GroupVersion(), of, c.info.Subresource, auditCodec{c.Codec, whole})
}

// auditPatch keeps a patch, as JSON. What is neither JSON nor YAML is left out: an event that cannot be encoded would be
// lost, and whoever sent it unseen.
func (c *call) auditPatch(patch []byte, kind types.PatchType) {
	ac := k8saudit.AuditContextFrom(c.r.Context())
	if ac == nil || !ac.Enabled() || ac.GetEventLevel().Less(auditinternal.LevelRequest) {
		return
	}
	if kind == types.ApplyYAMLPatchType {
		converted, err := yaml.YAMLToJSON(patch)
		if err != nil {
			return
		}
		patch = converted
	}
	if json.Valid(patch) {
		k8saudit.LogRequestPatch(c.r.Context(), patch)
	}
}

// auditDeleteOptions keeps how something is to be deleted, under the version that Kubernetes writes there.
func (c *call) auditDeleteOptions(opts *metav1.DeleteOptions) {
	if k8saudit.AuditContextFrom(c.r.Context()) == nil {
		return
	}
	internal := schema.GroupVersion{Group: metav1.GroupName, Version: runtime.APIVersionInternal}
	shown := *opts
	shown.TypeMeta = metav1.TypeMeta{Kind: "DeleteOptions", APIVersion: internal.String()}
	c.auditRequest(&shown, internal.WithKind("DeleteOptions"), false)
}

// auditWriter notes an answer's code in the request's event, and its object where the policy wants that.
type auditWriter struct {
	http.ResponseWriter
	ctx     context.Context
	started bool // the beginning of the answer is an event of its own
	once    sync.Once
	codec   *wire.Codec
}

// Unwrap lets http.ResponseController reach the connection.
func (w *auditWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *auditWriter) WriteHeader(code int) {
	w.note(code)
	w.ResponseWriter.WriteHeader(code)
}

func (w *auditWriter) Write(b []byte) (int, error) {
	w.note(http.StatusOK)
	return w.ResponseWriter.Write(b)
}

func (w *auditWriter) note(code int) {
	w.once.Do(func() {
		ac := k8saudit.AuditContextFrom(w.ctx)
		ac.SetEventResponseStatusCode(int32(code))
		if w.started {
			ac.ProcessEventStage(w.ctx, auditinternal.StageResponseStarted)
		}
	})
}

// auditAnswer keeps the object that is about to be answered. It costs nothing where nothing is audited.
func auditAnswer(w http.ResponseWriter, obj runtime.Object) {
	if w, ok := w.(*auditWriter); ok {
		k8saudit.LogResponseObject(w.ctx, obj, obj.GetObjectKind().GroupVersionKind().GroupVersion(), auditCodec{w.codec, true})
	}
}

// auditsAnswers tells whether auditAnswer keeps objects, so that one that is only at hand as bytes is worth decoding.
func auditsAnswers(w http.ResponseWriter) bool {
	a, ok := w.(*auditWriter)
	return ok && !k8saudit.AuditContextFrom(a.ctx).GetEventLevel().Less(auditinternal.LevelRequestResponse)
}

// auditBytes is auditAnswer for an object that is at hand as JSON.
func auditBytes(w http.ResponseWriter, body []byte) error {
	if !auditsAnswers(w) {
		return nil
	}
	obj := &unstructured.Unstructured{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(body, &obj.Object); err != nil {
		return err
	}
	auditAnswer(w, obj)
	return nil
}

// auditImpersonation keeps as whom somebody acts. verb is the permission that allowed it; the oldest goes without saying.
func auditImpersonation(ctx context.Context, as user.Info, verb string) {
	if verb == "impersonate" {
		verb = ""
	}
	k8saudit.LogImpersonatedUser(ctx, as, verb)
}

// auditIssued keeps by which id a token that was given out will be known.
func auditIssued(ctx context.Context, token string) {
	if k8saudit.AuditContextFrom(ctx) == nil {
		return
	}
	claims := jwt.RegisteredClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token, &claims); err == nil {
		k8saudit.AddAuditAnnotation(ctx, serviceaccount.IssuedCredentialIDAuditAnnotationKey, "JTI="+claims.ID)
	}
}

// auditCodec is our codec as the event's builder wants it: into JSON, and nothing else. Without whole it writes nothing, for
// what it writes would not be kept.
type auditCodec struct {
	codec *wire.Codec
	whole bool
}

var _ runtime.NegotiatedSerializer = auditCodec{}

func (c auditCodec) SupportedMediaTypes() []runtime.SerializerInfo {
	return []runtime.SerializerInfo{{MediaType: runtime.ContentTypeJSON}}
}

func (c auditCodec) EncoderForVersion(runtime.Encoder, runtime.GroupVersioner) runtime.Encoder {
	return c
}

func (c auditCodec) DecoderToVersion(d runtime.Decoder, _ runtime.GroupVersioner) runtime.Decoder {
	return d
}

func (c auditCodec) Identifier() runtime.Identifier { return "audit" }

func (c auditCodec) Encode(obj runtime.Object, w io.Writer) error {
	if !c.whole {
		return nil
	}
	body, err := c.codec.Encode(obj, wire.Format{Media: wire.JSON})
	if err == nil {
		_, err = w.Write(bytes.TrimSpace(body))
	}
	return err
}
