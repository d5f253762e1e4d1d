package apiserver

import (
	"context"
	"net/http"
	"strconv"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/apiserver/authz"
	"coracle/apiserver/decision"
	"coracle/apiserver/why"
	"coracle/apiserver/wire"
)

// Decisions are served from memory. Reading them is a request like any other: it is authorized by RBAC, and leaves
// a decision of its own.

// virtual is the function for a verb on a kind that is not stored, nil for verbs that it does not have.
func (c *call) virtual() func(*call) error {
	switch c.kind.Resource {
	case "accessexplanations":
		return (*call).explainAccess
	case "authenticators":
		return c.authenticators()
	}
	switch c.info.Verb {
	case "get":
		return (*call).getDecision
	case "list":
		return (*call).listDecisions
	case "watch":
		return (*call).watchDecisions
	}
	return nil
}

// visible tells whether the caller may see a record at all: of `mydecisions`, those of requests that they made
// themselves. What others did in their name is not theirs: it tells who may act as them, and why. Who acts as
// somebody sees what they did as this somebody.
func (c *call) visible(r *decision.Record) bool {
	if !c.ownOnly() {
		return true
	}
	me, as := userOf(c.r), c.rec.Impersonator
	if as != nil {
		return r.Impersonator != nil && same(r.Impersonator, as) && same(r.User, me)
	}
	if r.Impersonator != nil {
		return same(r.Impersonator, me)
	}
	return same(r.User, me)
}

// ownOnly tells whether the caller asked for their own decisions only.
func (c *call) ownOnly() bool { return c.kind.Resource == "mydecisions" }

// same tells whether two users are one. An account that was made anew under an old name is another, and nobody is one
// with system:anonymous, who is everybody.
func same(a, b user.Info) bool {
	if a == nil || b == nil || a.GetName() != b.GetName() || a.GetName() == user.Anonymous {
		return false
	}
	return a.GetUID() == b.GetUID() || a.GetUID() == "" || b.GetUID() == ""
}

// render makes the object of a record, for those who may see all or else as much as concerns them.
func (c *call) render(r *decision.Record) *why.Decision {
	if c.ownOnly() {
		return why.RenderOwn(r)
	}
	return why.Render(r)
}

func (c *call) getDecision() error {
	f, err := wire.Negotiate(c.r, c.offer())
	if err != nil {
		return err
	}
	r := c.Decisions.Find(c.info.Name, c.visible)
	if r == nil {
		return apierrors.NewNotFound(c.kind.Qualified(), c.info.Name)
	}
	obj := c.render(r)
	obj.Kind = c.kind.Kind
	return c.sendObject(f, http.StatusOK, obj)
}

func (c *call) listDecisions() error {
	f, err := wire.Negotiate(c.r, c.offer())
	if err != nil {
		return err
	}
	opts, err := listOptions(c.r)
	if err != nil {
		return err
	}
	match, err := c.matcher(opts.LabelSelector, opts.FieldSelector)
	if err != nil {
		return err
	}
	records, sequence := c.Decisions.Since(0)
	var objs []runtime.Object
	for _, r := range records {
		if obj := c.decision(f, match, r); obj != nil {
			objs = append(objs, obj)
		}
	}
	if opts.Limit > 0 && int64(len(objs)) > opts.Limit && opts.Continue == "" {
		objs = objs[int64(len(objs))-opts.Limit:] // the newest: there is no page after them
	}
	if f.As == "" {
		l := &why.DecisionList{TypeMeta: c.kind.NewList().(*why.DecisionList).TypeMeta, Items: make([]why.Decision, 0, len(objs))}
		l.ResourceVersion = strconv.FormatUint(sequence, 10)
		for _, obj := range objs {
			l.Items = append(l.Items, *obj.(*why.Decision))
		}
		c.send(c.w, f, http.StatusOK, l)
		return nil
	}
	return c.sendList(f, objs, metav1.ListMeta{ResourceVersion: strconv.FormatUint(sequence, 10)})
}

// decision renders a record that the caller asked for and may see, nil for another. A table needs only the line.
func (c *call) decision(f wire.Format, match *matcher, r *decision.Record) runtime.Object {
	if !c.visible(r) {
		return nil
	}
	obj := why.Summarize(r)
	if ok, err := match.object(c, obj); err != nil || !ok {
		return nil
	}
	if f.As == "" || c.ownOnly() {
		obj = c.render(r)
	}
	obj.Kind = c.kind.Kind
	return obj
}

// watchDecisions streams decisions as requests are answered.
func (c *call) watchDecisions() error {
	f, err := wire.Negotiate(c.r, c.offer())
	if err != nil {
		return err
	}
	opts, err := listOptions(c.r)
	if err != nil {
		return err
	}
	match, err := c.matcher(opts.LabelSelector, opts.FieldSelector)
	if err != nil {
		return err
	}
	after, err := revisionOf(opts.ResourceVersion)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), watchTimeout(opts))
	defer cancel()
	live, stop := c.Decisions.Follow()
	defer stop()
	f.Media = wire.JSON
	out, err := c.openStream(f, match, false)
	if err != nil {
		return err
	}
	seen := uint64(after)
	send := func(r *decision.Record) {
		if r.Sequence <= seen {
			return
		}
		seen = r.Sequence
		if obj := c.decision(f, match, r); obj != nil {
			if converted, err := out.convert(obj); err == nil {
				out.object(string(watch.Added), converted)
			}
		}
	}
	past, _ := c.Decisions.Since(uint64(after))
	for _, r := range past {
		send(r)
	}
	// Several together: a stream that shows its own requests must not be fed by showing them.
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if out.flush() != nil {
			return nil
		}
		select {
		case <-c.stop:
			return nil
		case <-ctx.Done():
			return nil
		case r, ok := <-live:
			if !ok {
				return nil
			}
			send(r)
		case <-tick.C:
		}
	}
}

// explainAccess answers whether somebody may do something, and why. To ask about others takes the permission to
// create subjectaccessreviews, which tells the same. Who asks about themselves is told of what is bound to them, not of
// what is bound to others.
func (c *call) explainAccess() error {
	question := &why.AccessExplanation{}
	f, err := c.decodeReview(question)
	if err != nil {
		return err
	}
	if err := c.checkReview(&question.ObjectMeta, validateQuestion(question.Spec)); err != nil {
		return err
	}
	asked := reviewed(question.Spec)
	own := question.Spec.User == "" && len(question.Spec.Groups) == 0
	if own {
		asked.User = userOf(c.r)
	} else {
		may := attributesOf(c.r)
		may.APIGroup, may.APIVersion, may.Resource = authorizationv1.GroupName, "v1", "subjectaccessreviews"
		if answer := c.Authz.Ask(c.r.Context(), may); !answer.Allowed() {
			return refused(may, answer)
		}
	}
	asked.Unserved = !c.serves(&asked.Attributes)
	answer := c.Authz.Ask(c.r.Context(), &asked.Attributes)
	question.Status = why.AccessExplanationStatus{
		Allowed: answer.Verdict == authz.Allow, Reason: answer.Reason(), Error: asked.evaluationError(answer.Err),
		Opinions: why.Opinions(answer.Opinions, own),
	}
	if !answer.Allowed() {
		question.Status.SmallestGrants = why.Missing(answer.Opinions)
	}
	c.send(c.w, wire.Format{Media: wire.JSON, Pretty: f.Pretty}, http.StatusCreated, question)
	return nil
}
