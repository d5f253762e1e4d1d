package webhook

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/user"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"coracle/apiserver/admission/match"
)

const v1, v1beta1 = "v1", "v1beta1"

// review is the question. The two versions differ in nothing but their name.
// Source: k8s.io/apiserver/pkg/admission/plugin/webhook/request.
func review(r *match.Request, inv *invocation) (*admissionv1.AdmissionReview, error) {
	version := ""
	for _, v := range inv.AdmissionReviewVersions {
		if v == v1 || v == v1beta1 {
			version = v
			break
		}
	}
	if version == "" {
		return nil, errors.New("webhook does not accept known AdmissionReview versions (v1, v1beta1)")
	}
	s, err := r.In(inv.kind)
	if err != nil {
		return nil, err
	}
	a := r.A
	kind, requested := metav1.GroupVersionKind(r.As(inv.kind)), metav1.GroupVersionKind(a.ObjectKind())
	resource := metav1.GroupVersionResource(inv.kind.GroupVersion().WithResource(inv.kind.Resource))
	requestedResource := metav1.GroupVersionResource(a.Kind.GroupVersion().WithResource(a.Kind.Resource))
	return &admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{Kind: "AdmissionReview", APIVersion: admissionv1.GroupName + "/" + version},
		Request: &admissionv1.AdmissionRequest{
			UID:  types.UID(uuid.NewString()),
			Kind: kind, Resource: resource, SubResource: a.Subresource,
			RequestKind: &requested, RequestResource: &requestedResource, RequestSubResource: a.Subresource,
			Name: a.Name, Namespace: a.Namespace, Operation: admissionv1.Operation(a.Operation), UserInfo: userInfo(a.User),
			Object: runtime.RawExtension{Object: s.Object}, OldObject: runtime.RawExtension{Object: s.Old},
			DryRun: &a.DryRun, Options: runtime.RawExtension{Object: r.Options()},
		},
	}, nil
}

func userInfo(u user.Info) authenticationv1.UserInfo {
	if u == nil {
		return authenticationv1.UserInfo{}
	}
	info := authenticationv1.UserInfo{Username: u.GetName(), UID: u.GetUID(), Groups: u.GetGroups()}
	for k, v := range u.GetExtra() {
		if info.Extra == nil {
			info.Extra = map[string]authenticationv1.ExtraValue{}
		}
		info.Extra[k] = v
	}
	return info
}

// read reads an answer, in JSON or, as Kubernetes does, in YAML.
func read(text []byte) (*admissionv1.AdmissionReview, error) {
	if !json.Valid(text) {
		if converted, err := yaml.YAMLToJSON(text); err == nil {
			text = converted
		}
	}
	kind := struct {
		APIVersion string `json:"apiVersion,omitempty"`
		Kind       string `json:"kind,omitempty"`
	}{}
	review := &admissionv1.AdmissionReview{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(text, &kind); err != nil {
		return nil, fmt.Errorf("couldn't get version/kind; json parse error: %w", err)
	}
	return review, kjson.UnmarshalCaseSensitivePreserveInts(text, review)
}

// verify returns the answer to a question, if it is one.
func verify(review, question *admissionv1.AdmissionReview, mutating bool) (*admissionv1.AdmissionResponse, error) {
	answer := review.Response
	if answer == nil {
		return nil, errors.New("webhook response was absent")
	}
	if question.APIVersion != admissionv1.GroupName+"/"+v1 { // of v1beta1 nothing else was ever checked
		if len(answer.Patch) > 0 {
			answer.PatchType = new(admissionv1.PatchTypeJSONPatch)
		}
		return answer, nil
	}
	switch {
	case answer.UID != question.Request.UID:
		return nil, fmt.Errorf("expected response.uid=%q, got %q", question.Request.UID, answer.UID)
	case review.TypeMeta != question.TypeMeta:
		return nil, fmt.Errorf("expected webhook response of %s, got %s", question.GroupVersionKind(), review.GroupVersionKind())
	case mutating && len(answer.Patch) > 0 && answer.PatchType == nil:
		return nil, errors.New("webhook returned response.patch but not response.patchType")
	case mutating && len(answer.Patch) == 0 && answer.PatchType != nil:
		return nil, errors.New("webhook returned response.patchType but not response.patch")
	case mutating && answer.PatchType != nil && *answer.PatchType == "":
		return nil, fmt.Errorf("webhook returned invalid response.patchType of %q", *answer.PatchType)
	case !mutating && len(answer.Patch) > 0:
		return nil, errors.New("validating webhook may not return response.patch")
	case !mutating && answer.PatchType != nil:
		return nil, errors.New("validating webhook may not return response.patchType")
	}
	return answer, nil
}

// asJSON is for annotations, which upstream writes so.
func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}
