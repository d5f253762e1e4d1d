package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	admissioncel "k8s.io/apiserver/pkg/admission/plugin/cel"

	"coracle/apiserver/admission"
	"coracle/apiserver/admission/match"
	"coracle/apiserver/decision"
)

// asker is what both plugins have in common.
type asker struct {
	Config
	compiler func() admissioncel.ConditionCompiler
}

// What a webhook said, as decisions tell it.
const (
	allowed = "allowed"
	denied  = "denied"
	failed  = "failed"
	ignored = "ignored" // it failed, and may
)

// outcome is what became of one call.
type outcome struct {
	said    string
	message string
	refused error  // what the request is refused with, nil when it may go on
	because string // why, for metrics
	code    int
	took    time.Duration
	answer  *admissionv1.AdmissionResponse // nil unless it allowed
	changed []string
}

// notAnswered is returned when a webhook could not be asked, or answered something else: the failurePolicy decides.
type notAnswered struct {
	webhook string
	reason  error
	code    int
}

func (e *notAnswered) Error() string {
	return fmt.Sprintf("failed calling webhook %q: %v", e.webhook, e.reason)
}

// refusal is returned when a webhook denied the request.
type refusal struct{ *apierrors.StatusError }

// ask asks one webhook, and returns its answer if it allowed the request.
// Errors: *notAnswered; refusal; a Status for a dry run that the webhook does not support.
func (a *asker) ask(ctx context.Context, inv *invocation, r *match.Request, mutating bool) (*admissionv1.AdmissionResponse, error) {
	fail := func(code int, what string, err error) error {
		return &notAnswered{inv.Name, fmt.Errorf("%s: %w", what, err), code}
	}
	if r.A.DryRun && (inv.SideEffects == nil || *inv.SideEffects != admissionregistrationv1.SideEffectClassNone &&
		*inv.SideEffects != admissionregistrationv1.SideEffectClassNoneOnDryRun) {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("admission webhook %q does not support dry run", inv.Name))
	}
	question, err := review(r, inv)
	if err != nil {
		return nil, fail(http.StatusBadRequest, "could not create admission objects", err)
	}
	body, err := json.Marshal(question)
	if err != nil {
		return nil, fail(http.StatusBadRequest, "could not create admission objects", err)
	}
	ctx, cancel := context.WithTimeout(ctx, inv.patience())
	defer cancel()
	var review *admissionv1.AdmissionReview
	text, err := inv.client.Post(ctx, body)
	if err == nil {
		review, err = read(text)
	}
	if err != nil {
		code := http.StatusServiceUnavailable
		if status := apierrors.APIStatus(nil); errors.As(err, &status) {
			code = int(status.Status().Code)
		}
		return nil, fail(code, "failed to call webhook", err)
	}
	answer, err := verify(review, question, mutating)
	if err != nil {
		return nil, fail(http.StatusServiceUnavailable, "received invalid webhook response", err)
	}
	if !answer.Allowed {
		return answer, refusal{deny(inv.Name, answer.Result)}
	}
	return answer, nil
}

// deny is the answer to a request that a webhook denied, in the webhook's words.
// Source: k8s.io/apiserver/pkg/admission/plugin/webhook/errors.ToStatusErr.
func deny(webhook string, result *metav1.Status) *apierrors.StatusError {
	status := metav1.Status{}
	if result != nil {
		status = *result
	}
	if status.Code < http.StatusBadRequest {
		status.Code = http.StatusBadRequest
	}
	if status.Code > 999 { // which is no code of HTTP
		status.Code = http.StatusInternalServerError
	}
	if status.Status == "" || status.Status == metav1.StatusSuccess {
		status.Status = metav1.StatusFailure
	}
	by := fmt.Sprintf("admission webhook %q denied the request", webhook)
	switch {
	case status.Message != "":
		status.Message = by + ": " + status.Message
	case status.Reason != "":
		status.Message = by + ": " + string(status.Reason)
	default:
		status.Message = by + " without explanation"
	}
	return &apierrors.StatusError{ErrStatus: status}
}

// judge says what an error of a call means for the request.
func judge(h *hook, err error) outcome {
	var status *apierrors.StatusError
	switch e := err.(type) {
	case nil:
		return outcome{said: allowed, code: http.StatusOK}
	case *notAnswered:
		if h.mayFail() {
			return outcome{said: ignored, message: e.reason.Error(), code: e.code}
		}
		return outcome{said: failed, message: e.reason.Error(), refused: apierrors.NewInternalError(e), because: "calling_webhook_error", code: e.code}
	case refusal:
		return outcome{said: denied, message: e.ErrStatus.Message, refused: e.StatusError, because: "no_error", code: int(e.ErrStatus.Code)}
	default:
		if !errors.As(err, &status) {
			err = apierrors.NewInternalError(err)
		}
		return outcome{said: failed, message: err.Error(), refused: err, because: "apiserver_internal_error"}
	}
}

// maxKept bounds what decisions keep of what a webhook said, in bytes, and of what it changed, in lines.
const (
	maxKept        = 1024
	maxKeptChanges = 20
)

// note keeps what became of a call: for metrics, for the decision, and, of an answer, for the client.
func (a *asker) note(kind string, r *admission.Attributes, h *hook, o outcome) {
	a.Metrics.observe(kind, h, r.Operation, o.took, o)
	message := o.message
	if len(message) > maxKept {
		message = strings.ToValidUTF8(message[:maxKept], "") + "..."
	}
	r.Called(decision.Call{
		Configuration: h.configuration, Webhook: h.Name, Took: o.took, Round: r.Round, Said: o.said, Message: message, Changed: o.changed,
	})
	if o.said == ignored {
		a.Log.Warn("an admission webhook failed, and the request went on", "webhook", h.Name, "error", message)
	}
	if o.answer != nil && r.Warn != nil {
		for _, text := range o.answer.Warnings {
			r.Warn(text)
		}
	}
}
