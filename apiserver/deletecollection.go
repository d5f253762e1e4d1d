package apiserver

import (
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coracle/apiserver/decision"
	"coracle/apiserver/wire"
)

// deleteCollection deletes what a list would show. Whether each may go is decided in the order of the list, and nothing after one that
// may not; they go at the same time.
// Source: DeleteCollection in k8s.io/apiserver/pkg/registry/generic/registry/store.go.
func (c *call) deleteCollection() error {
	f, err := wire.Negotiate(c.r, c.offer())
	if err != nil {
		return err
	}
	opts, err := c.deleteOptions()
	if err != nil {
		return err
	}
	listOpts, err := listOptions(c.r)
	if err != nil {
		return err
	}
	c.warnOfOrphans(opts)
	match, err := c.matcher(listOpts.LabelSelector, listOpts.FieldSelector)
	if err != nil {
		return err
	}
	page, err := c.page(listOpts, match)
	if err != nil {
		return err
	}
	recs, failed := make([]*decision.Record, len(page.entries)), make([]error, len(page.entries))
	turns := inTurn(len(page.entries))
	for i := range recs {
		recs[i] = &decision.Record{}
	}
	forEach(len(page.entries), func(i int) {
		obj, err := c.Registry.Object(c.kind, page.entries[i])
		if err == nil {
			var m metav1.Object
			if m, err = meta.Accessor(obj); err == nil {
				_, _, _, err = c.alone(recs[i], turns[i]).remove(m.GetNamespace(), m.GetName(), opts.DeepCopy())
			}
		}
		if apierrors.IsNotFound(err) {
			err = nil // somebody else was faster
		}
		turns[i].pass(err == nil)
		failed[i] = err
	})
	for _, r := range recs {
		c.rec.Admission = append(c.rec.Admission, r.Admission...)
		c.rec.Revision = max(c.rec.Revision, r.Revision)
	}
	for _, err := range failed {
		if err != nil { // the first has ended it
			return err
		}
	}
	return c.sendPage(f, page, match)
}

// alone is the call for one object of several that are worked on at the same time: with a record of its own, since a record has
// one writer.
func (c *call) alone(rec *decision.Record, t *turn) *call {
	one := *c
	one.rec, one.turn = rec, t
	one.r = c.r.WithContext(decision.With(c.r.Context(), rec))
	return &one
}

// turn makes what is done at the same time decide one after the other. A nil turn waits for nobody.
type turn struct {
	mine         <-chan bool // whether those before have passed it on
	next         chan<- bool
	come, passed bool
}

// inTurn returns n turns, of which the first has come.
func inTurn(n int) []*turn {
	turns := make([]*turn, n)
	mine := make(chan bool, 1)
	mine <- true
	for i := range turns {
		next := make(chan bool, 1)
		turns[i] = &turn{mine: mine, next: next}
		mine = next
	}
	return turns
}

// errStopped is returned when one that came before has ended it for all.
var errStopped = errors.New("nothing is done after what has failed")

// wait waits until it is this one's turn.
func (t *turn) wait() error {
	if t == nil || t.come {
		return nil
	}
	t.come = true
	if !<-t.mine {
		t.pass(false)
		return errStopped
	}
	return nil
}

// pass lets the next one decide, or ends it for all that are to come. It does nothing when called again.
func (t *turn) pass(on bool) {
	if t == nil || t.passed {
		return
	}
	t.passed = true
	if !t.come {
		t.come = true
		on = <-t.mine && on
	}
	t.next <- on
}
