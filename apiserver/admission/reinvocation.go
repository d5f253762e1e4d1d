package admission

import (
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
)

// Reinvocation is what a plugin that asks several others, such as webhooks, remembers between the two rounds of one request:
// which of them want to see what was changed after they had been asked.
// Source: k8s.io/apiserver/pkg/admission/plugin/webhook/mutating/reinvocationcontext.go.
type Reinvocation struct {
	a     *Attributes
	last  runtime.Object  // as the first round left it
	asked map[string]bool // to be asked again when somebody later changes the object
	again map[string]bool // to be asked again
}

// Reinvocation returns what the plugin remembers of this request. Done must be called in the end.
func (a *Attributes) Reinvocation(plugin string) *Reinvocation {
	r, ok := a.notes[plugin]
	if !ok {
		if a.notes == nil {
			a.notes = map[string]*Reinvocation{}
		}
		r = &Reinvocation{a: a, asked: map[string]bool{}, again: map[string]bool{}}
		a.notes[plugin] = r
	}
	if a.Round > 0 && r.last != nil && !apiequality.Semantic.DeepEqual(r.last, a.Object) {
		r.recall()
	}
	return r
}

// Due tells whether somebody is to be asked in this round.
func (r *Reinvocation) Due(id string) bool { return r.a.Round == 0 || r.again[id] }

// Changed tells that the object was changed: those before are asked again, and all Mutators with them. In the second round
// that is noted in vain, so that there is no third.
func (r *Reinvocation) Changed() {
	r.recall()
	r.a.again = true
}

func (r *Reinvocation) recall() {
	for id := range r.asked {
		r.again[id] = true
	}
	clear(r.asked)
}

// Asked tells that somebody was asked who wants to see later changes.
func (r *Reinvocation) Asked(id string) { r.asked[id] = true }

// Done ends the round.
func (r *Reinvocation) Done() {
	if len(r.asked)+len(r.again) > 0 && r.a.Object != nil {
		r.last = r.a.Object.DeepCopyObject()
	}
}
