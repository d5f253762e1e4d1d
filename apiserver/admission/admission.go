package admission

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/apiserver/authz"
	"coracle/apiserver/catalog"
	"coracle/apiserver/decision"
)

// Operation is what is about to happen.
type Operation string

// The operations, as webhooks name them.
const (
	Create  Operation = "CREATE"
	Update  Operation = "UPDATE"
	Delete  Operation = "DELETE"
	Connect Operation = "CONNECT"
)

// Attributes describe what is about to be written.
type Attributes struct {
	Operation   Operation
	Kind        *catalog.Kind
	Subresource string
	// As is the kind of Object and Old where that is not Kind: a Scale, an Eviction, PodExecOptions.
	As        schema.GroupVersionKind
	Namespace string
	Name      string // may be empty when the server is to generate it
	// Object is the new state, nil for Delete; for Connect the parameters. Mutators change it in place.
	Object runtime.Object
	// Old is the present state, nil for Create. It is shared: nobody may change it.
	Old     runtime.Object
	Options runtime.Object // CreateOptions, UpdateOptions, PatchOptions or DeleteOptions; nil for Connect
	DryRun  bool
	User    user.Info
	// Warn sends a sentence to the client.
	Warn func(string)

	// Round is 0, and 1 while Mutators are called a second time.
	Round int

	again   bool
	changes []string
	called  []decision.Call
	judged  []decision.Judgement
	notes   map[string]*Reinvocation // by plugin
}

// ObjectKind is the kind of Object and Old.
func (a *Attributes) ObjectKind() schema.GroupVersionKind {
	if !a.As.Empty() {
		return a.As
	}
	return a.Kind.GroupVersionKind
}

// Judged notes for the decision record what a policy came to.
func (a *Attributes) Judged(j decision.Judgement) { a.judged = append(a.judged, j) }

// Called notes for the decision record that somebody outside was asked.
func (a *Attributes) Called(c decision.Call) { a.called = append(a.called, c) }

// Changed notes for the decision record what a mutator changed, as in `spec.serviceAccountName: default`.
func (a *Attributes) Changed(format string, args ...any) {
	a.changes = append(a.changes, fmt.Sprintf(format, args...))
}

// Is tells whether the request is for this resource, and not for one of its subresources.
func (a *Attributes) Is(gr schema.GroupResource) bool {
	return a.Subresource == "" && a.Kind.Resource == gr.Resource && a.Kind.Group == gr.Group
}

// Plugin has a name, as in Kubernetes' --enable-admission-plugins.
type Plugin interface {
	Name() string
}

// Mutator may change a.Object, or refuse with a Status error.
type Mutator interface {
	Plugin
	Mutate(ctx context.Context, a *Attributes) error
}

// Validator may refuse with a Status error. It changes nothing.
type Validator interface {
	Plugin
	Validate(ctx context.Context, a *Attributes) error
}

// Chain asks plugins in order. The first refusal ends it.
type Chain []Plugin

// Mutate lets every Mutator change the object, twice if one of them asks for that.
// Source: k8s.io/apiserver/pkg/admission/reinvocation.go.
func (c Chain) Mutate(ctx context.Context, a *Attributes) error {
	if err := c.mutate(ctx, a); err != nil || !a.again {
		return err
	}
	a.Round = 1
	return c.mutate(ctx, a)
}

func (c Chain) mutate(ctx context.Context, a *Attributes) error {
	for _, p := range c {
		m, ok := p.(Mutator)
		if !ok {
			continue
		}
		a.changes, a.called, a.judged = nil, nil, nil
		err := m.Mutate(ctx, a)
		record(ctx, p, "mutate", a, err)
		if err != nil {
			return err
		}
	}
	return nil
}

// Validate asks every Validator.
func (c Chain) Validate(ctx context.Context, a *Attributes) error {
	for _, p := range c {
		v, ok := p.(Validator)
		if !ok {
			continue
		}
		a.changes, a.called, a.judged = nil, nil, nil
		err := v.Validate(ctx, a)
		record(ctx, p, "validate", a, err)
		if err != nil {
			return err
		}
	}
	return nil
}

// record keeps what a plugin did; plugins that had nothing to say leave no trace.
func record(ctx context.Context, p Plugin, phase string, a *Attributes, err error) {
	r := decision.From(ctx)
	if err == nil {
		// A permission that it asked for and could do without was not missing.
		r.Further = slices.DeleteFunc(r.Further, func(o decision.Opinion) bool { return o.Verdict != authz.Allow.String() })
	}
	if a.changes == nil && a.called == nil && a.judged == nil && err == nil {
		return
	}
	r.Admission = append(r.Admission, decision.Step{Plugin: p.Name(), Phase: phase, Changed: a.changes, Called: a.called, Judged: a.judged, Refused: err})
}

// Forbidden words a refusal as upstream's admission.NewForbidden does.
func Forbidden(a *Attributes, why error) error {
	if apierrors.IsForbidden(why) {
		return why
	}
	name := a.Name
	if name == "" && a.Object != nil {
		if m, err := meta.Accessor(a.Object); err == nil {
			name = cmp.Or(m.GetName(), m.GetGenerateName())
		}
	}
	return apierrors.NewForbidden(a.Kind.Qualified(), cmp.Or(name, "Unknown"), why)
}

// waitFor calls try until it is true, the time is over or the request has ended, and tells whether it was.
// Others' writes are what it waits for, so it looks often: memory is being read.
func waitFor(ctx context.Context, atMost time.Duration, try func() bool) bool {
	if try() {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
			if try() {
				return true
			}
		}
	}
}
