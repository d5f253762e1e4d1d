// Package decision is the record of what each stage decided about one request.
//
// Every stage writes its part while the request travels: each authenticator asked and why it passed on,
// each authorizer's opinion, each admission plugin's change or refusal, the revision stored, the time taken.
// Recording keeps references and renders nothing; whoever reads a record renders it.
//
// Nouns: Record (one request), Log (the newest records, in memory, bounded). Start reading at Record.
package decision

import (
	"context"
	"time"

	"k8s.io/apiserver/pkg/authentication/user"
)

// Record is what was decided about one request. Its stages fill it one after the other, so it needs no lock
// until it is finished; after that nobody changes it.
type Record struct {
	// Sequence counts the records that were kept; the log sets it.
	Sequence uint64
	ID       string // the Audit-ID
	Received time.Time
	Took     time.Duration
	Source   string // client address
	Agent    string // User-Agent

	Request Request
	Code    int    // HTTP status answered
	Message string // the sentence answered with an error

	Authentication []Asked
	User           user.Info // who is acting, after impersonation
	Impersonator   user.Info // who really asked, nil when nobody is impersonated
	Authorization  []Opinion // of the request itself
	Impersonation  []Opinion // of each permission that impersonating needed
	Further        []Opinion // of each permission that was needed beside the request's own
	Admission      []Step
	Revision       int64  // the revision that was stored, 0 for none
	Switched       string // the authenticator that the request switched, and how
	Stages         []Stage

	marked  time.Time // end of the last stage
	present string    // the stage that the request is in
}

// Request says what was asked.
type Request struct {
	Resource    bool // a request for a resource, not for a bare path
	Method      string
	Path        string
	Verb        string
	APIGroup    string
	APIVersion  string
	ResourceOf  string // plural
	Served      bool   // the resource is one that the server has
	Subresource string
	Namespace   string
	Name        string
}

// Asked is one authenticator's answer.
type Asked struct {
	Authenticator string
	Verdict       string // accepted, refused, passed
	Why           error
}

// Opinion is one authorizer's answer.
type Opinion struct {
	Authorizer string
	Verdict    string // allow, deny, no opinion
	Verb       string // what was asked of the authorizer, where it is not the request itself
	On         string
	Reason     string
	// Because is the authorizer's own explanation, such as *rbac.Explanation; rendered on demand.
	Because any
}

// Step is what one admission plugin did.
type Step struct {
	Plugin  string
	Phase   string // mutate, validate
	Changed []string
	Called  []Call
	Judged  []Judgement
	Refused error
}

// Judgement is what one policy came to, by one of its bindings.
type Judgement struct {
	Policy  string
	Binding string
	Said    string // allowed, denied, warned, audited, failed, or ignored: it could not be evaluated, and may
	Message string
	Took    time.Duration
}

// Call is one question to somebody outside: a webhook.
type Call struct {
	Configuration string
	Webhook       string
	Took          time.Duration
	Round         int      // 1 of a repeated call
	Said          string   // allowed, denied, failed, or ignored: it failed, and may
	Message       string   // what it said to that, or why it failed
	Changed       []string // the operations and paths of its patch
}

// Stage is how long one stage took.
type Stage struct {
	Name string
	Took time.Duration
}

// Mark ends the present stage: it took from the end of the one before until now.
func (r *Record) Mark(name string, now time.Time) {
	began := r.Received
	if r.marked.After(began) {
		began = r.marked
	}
	r.Stages = append(r.Stages, Stage{Name: name, Took: now.Sub(began)})
	r.marked = now
}

// Enter says in which stage the request is from now on.
func (r *Record) Enter(name string) { r.present = name }

// Finish ends the last stage, which is the one that answered.
func (r *Record) Finish(now time.Time) {
	r.Took = now.Sub(r.Received)
	r.Mark(r.present, now)
}

type key struct{}

// With returns a context that carries the record.
func With(ctx context.Context, r *Record) context.Context {
	return context.WithValue(ctx, key{}, r)
}

// From returns the context's record. It is never nil: outside a request what is written to it is dropped.
func From(ctx context.Context) *Record {
	if r, ok := ctx.Value(key{}).(*Record); ok {
		return r
	}
	return &Record{}
}
