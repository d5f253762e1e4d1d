// Package why turns decision records into API objects, which kubectl can list, watch and describe.
//
// Group coracle.dev/v1alpha1, served and never stored:
//
//   - Decision: what was decided about one request, by each stage; its name is the request's Audit-ID.
//   - AccessExplanation: whether somebody may do something, and why; a question that is answered, like
//     SubjectAccessReview.
//   - Authenticator: a strategy of authentication, and whether it is asked.
//
// A record is rendered when somebody reads it. Nothing here is on the way of other requests.
// Start reading at Decision and Render.
package why

import (
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coracle/rbac"
)

// Group is Coracle's own API group.
const Group = "coracle.dev"

// GroupVersion is the group's version.
func GroupVersion() schema.GroupVersion {
	return schema.GroupVersion{Group: Group, Version: "v1alpha1"}
}

// Decision is what was decided about one request.
type Decision struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	// Why is the explanation in one line.
	Why     string `json:"why"`
	Allowed bool   `json:"allowed"`
	// Code is the HTTP status that was answered, and Message the sentence that came with an error.
	Code    int    `json:"code"`
	Message string `json:"message,omitempty"`

	Request        Request          `json:"request"`
	User           User             `json:"user"`
	ImpersonatedBy *User            `json:"impersonatedBy,omitempty"`
	Authentication []Authentication `json:"authentication,omitempty"`
	// Impersonation holds the permissions that acting as somebody else needed.
	Impersonation []Opinion `json:"impersonation,omitempty"`
	Authorization []Opinion `json:"authorization,omitempty"`
	// Further holds the permissions that the request needed beside its own, such as bind.
	Further   []Opinion   `json:"further,omitempty"`
	Admission []Admission `json:"admission,omitempty"`
	// StoredRevision is the resourceVersion that the request wrote.
	StoredRevision string `json:"storedRevision,omitempty"`
	// Switched is the authenticator that the request switched, and how.
	Switched string `json:"switched,omitempty"`
	// SmallestGrants together would have allowed a refused request.
	SmallestGrants []*rbac.SmallestGrant `json:"smallestGrants,omitempty"`
	Took           string                `json:"took"`
	Stages         []Stage               `json:"stages,omitempty"`
}

// Request is what was asked.
type Request struct {
	Verb        string `json:"verb"`
	Method      string `json:"method"`
	Path        string `json:"path"`
	APIGroup    string `json:"apiGroup,omitempty"`
	APIVersion  string `json:"apiVersion,omitempty"`
	Resource    string `json:"resource,omitempty"`
	Subresource string `json:"subresource,omitempty"`
	Namespace   string `json:"namespace,omitempty"`
	Name        string `json:"name,omitempty"`
	SourceIP    string `json:"sourceIP,omitempty"`
	UserAgent   string `json:"userAgent,omitempty"`
}

// User is who asked.
type User struct {
	Username string              `json:"username"`
	UID      string              `json:"uid,omitempty"`
	Groups   []string            `json:"groups,omitempty"`
	Extra    map[string][]string `json:"extra,omitempty"`
}

// Authentication is one authenticator's answer: accepted, refused, or passed on.
type Authentication struct {
	Authenticator string `json:"authenticator"`
	Verdict       string `json:"verdict"`
	Why           string `json:"why,omitempty"`
}

// Opinion is one authorizer's: allow, deny, or no opinion.
type Opinion struct {
	Authorizer string `json:"authorizer"`
	Verdict    string `json:"verdict"`
	// On is what the opinion is about, when that is not the request itself: what is impersonated.
	On     string `json:"on,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Text is all that the authorizer has to say, in lines for people.
	Text string `json:"text,omitempty"`
	// Explanation is RBAC's, for programs.
	Explanation *rbac.Explanation `json:"explanation,omitempty"`
}

// Admission is what one plugin changed or refused.
type Admission struct {
	Plugin  string      `json:"plugin"`
	Phase   string      `json:"phase"`
	Changed []string    `json:"changed,omitempty"`
	Called  []Call      `json:"called,omitempty"`
	Judged  []Judgement `json:"judged,omitempty"`
	Refused string      `json:"refused,omitempty"`
}

// Judgement is what one policy came to, by one of its bindings: allowed, denied, warned, audited, failed, or ignored, which is
// failed where its failurePolicy is Ignore.
type Judgement struct {
	Policy  string `json:"policy"`
	Binding string `json:"binding,omitempty"`
	Said    string `json:"said"`
	Message string `json:"message,omitempty"`
	Took    string `json:"took"`
}

// Call is one question to a webhook, and what it said: allowed, denied, failed, or ignored, which is failed where its
// failurePolicy is Ignore.
type Call struct {
	Configuration string `json:"configuration"`
	Webhook       string `json:"webhook"`
	Took          string `json:"took"`
	// Again tells that it was called a second time, because of its reinvocationPolicy.
	Again   bool   `json:"again,omitempty"`
	Said    string `json:"said"`
	Message string `json:"message,omitempty"`
	// Changed are the operations and paths of its patch, without values.
	Changed []string `json:"changed,omitempty"`
}

// Stage is how long one stage took.
type Stage struct {
	Name string `json:"name"`
	Took string `json:"took"`
}

// DecisionList is a list of decisions, the oldest first.
type DecisionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []Decision `json:"items"`
}

// AccessExplanation asks whether a user may do something, and is answered with the reason: the binding, role and rule
// that grant it, or the nearest misses and the smallest change that would allow it.
type AccessExplanation struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	// Spec is that of a SubjectAccessReview. Without user and groups it is about the caller.
	Spec   authorizationv1.SubjectAccessReviewSpec `json:"spec"`
	Status AccessExplanationStatus                 `json:"status"`
}

// AccessExplanationStatus is the answer.
type AccessExplanationStatus struct {
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason,omitempty"`
	Error   string `json:"error,omitempty"`
	// Opinions are those of the authorizers, in the order in which they were asked.
	Opinions []Opinion `json:"opinions,omitempty"`
	// SmallestGrants together would allow what is refused.
	SmallestGrants []*rbac.SmallestGrant `json:"smallestGrants,omitempty"`
}

// DeepCopyObject copies the object. What it refers to is never changed, and is shared.
func (d *Decision) DeepCopyObject() runtime.Object { c := *d; return &c }

// DeepCopyObject copies the list. What it refers to is never changed, and is shared.
func (l *DecisionList) DeepCopyObject() runtime.Object { c := *l; return &c }

// DeepCopyObject copies the object. What it refers to is never changed, and is shared.
func (e *AccessExplanation) DeepCopyObject() runtime.Object { c := *e; return &c }

// OpenAPIModelName names the schema.
func (Decision) OpenAPIModelName() string { return "dev.coracle.v1alpha1.Decision" }

// OpenAPIModelName names the schema.
func (DecisionList) OpenAPIModelName() string { return "dev.coracle.v1alpha1.DecisionList" }

// OpenAPIModelName names the schema.
func (AccessExplanation) OpenAPIModelName() string { return "dev.coracle.v1alpha1.AccessExplanation" }
