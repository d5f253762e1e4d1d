package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	k8saudit "k8s.io/apiserver/pkg/audit"
)

// What the audit log is told of webhooks, by upstream's keys.
const (
	mutationKey     = "mutation.webhook.admission.k8s.io/"
	patchKey        = "patch.webhook.admission.k8s.io/"
	failedOpenKey   = "failed-open."
	failedOpenValid = failedOpenKey + "validating.webhook.admission.k8s.io/"
)

func at(prefix string, round, index int) string {
	return fmt.Sprintf("%sround_%d_index_%d", prefix, round, index)
}

// annotateMutation tells which webhook was asked, whether it changed anything, and, where requests are kept, what.
func annotateMutation(ctx context.Context, inv *invocation, round, index int, mutated bool, patch []byte) {
	if k8saudit.AuditContextFrom(ctx) == nil {
		return
	}
	k8saudit.AddAuditAnnotation(ctx, at(mutationKey, round, index), asJSON(struct {
		Configuration string `json:"configuration"`
		Webhook       string `json:"webhook"`
		Mutated       bool   `json:"mutated"`
	}{inv.configuration, inv.Name, mutated}))
	if len(patch) == 0 || k8saudit.AuditContextFrom(ctx).GetEventLevel().Less(auditinternal.LevelRequest) {
		return
	}
	k8saudit.AddAuditAnnotation(ctx, at(patchKey, round, index), asJSON(struct {
		Configuration string          `json:"configuration"`
		Webhook       string          `json:"webhook"`
		Patch         json.RawMessage `json:"patch,omitempty"`
		PatchType     string          `json:"patchType,omitempty"`
	}{inv.configuration, inv.Name, patch, string(admissionv1.PatchTypeJSONPatch)}))
}

// annotate keeps what a webhook itself wants to be kept, under its name. Keys that are none are dropped.
func annotate(ctx context.Context, h *hook, answer *admissionv1.AdmissionResponse) {
	if answer == nil || k8saudit.AuditContextFrom(ctx) == nil {
		return
	}
	for k, v := range answer.AuditAnnotations {
		key := h.Name + "/" + k
		if strings.Count(key, "/") == 1 && len(validation.IsQualifiedName(key)) == 0 {
			k8saudit.AddAuditAnnotation(ctx, key, v)
		}
	}
}
