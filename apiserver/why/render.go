package why

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/apiserver/authz"
	"coracle/apiserver/decision"
	"coracle/authn"
	"coracle/rbac"
)

// Render makes the object of a record.
func Render(r *decision.Record) *Decision { return render(r, false) }

// RenderOwn makes it for the one who made the request, and may not see all roles and bindings: it does not tell of
// bindings to others, which come near because they name somebody similar.
func RenderOwn(r *decision.Record) *Decision { return render(r, true) }

func render(r *decision.Record, own bool) *Decision {
	d := summarize(r, own)
	for _, a := range r.Authentication {
		one := Authentication{Authenticator: a.Authenticator, Verdict: a.Verdict}
		if a.Why != nil {
			one.Why = a.Why.Error()
		}
		d.Authentication = append(d.Authentication, one)
	}
	d.Authorization, d.Impersonation, d.Further = Opinions(r.Authorization, own), Opinions(r.Impersonation, own), Opinions(r.Further, own)
	d.SmallestGrants = Grants(r)
	for _, s := range r.Admission {
		one := Admission{Plugin: s.Plugin, Phase: s.Phase, Changed: s.Changed}
		for _, j := range s.Judged {
			one.Judged = append(one.Judged, Judgement{Policy: j.Policy, Binding: j.Binding, Said: j.Said, Message: j.Message, Took: j.Took.String()})
		}
		for _, c := range s.Called {
			one.Called = append(one.Called, Call{
				Configuration: c.Configuration, Webhook: c.Webhook, Took: c.Took.String(), Again: c.Round > 0,
				Said: c.Said, Message: c.Message, Changed: c.Changed,
			})
		}
		if s.Refused != nil {
			one.Refused = s.Refused.Error()
		}
		d.Admission = append(d.Admission, one)
	}
	for _, s := range r.Stages {
		d.Stages = append(d.Stages, Stage{Name: s.Name, Took: s.Took.String()})
	}
	return d
}

// Summarize makes the object without what each stage said: as much as a table shows and selectors select by.
func Summarize(r *decision.Record) *Decision { return summarize(r, false) }

func summarize(r *decision.Record, own bool) *Decision {
	gv := GroupVersion()
	q := r.Request
	d := &Decision{
		TypeMeta: metav1.TypeMeta{Kind: "Decision", APIVersion: gv.String()},
		ObjectMeta: metav1.ObjectMeta{
			Name: r.ID, UID: types.UID(r.ID), CreationTimestamp: metav1.Time{Time: r.Received},
			ResourceVersion: strconv.FormatUint(r.Sequence, 10),
		},
		Allowed: letIn(r),
		Code:    r.Code,
		Message: r.Message,
		Request: Request{
			Verb: q.Verb, Method: q.Method, Path: q.Path, APIGroup: q.APIGroup, APIVersion: q.APIVersion,
			Resource: q.ResourceOf, Subresource: q.Subresource, Namespace: q.Namespace, Name: q.Name,
			SourceIP: host(r.Source), UserAgent: r.Agent,
		},
		Took: r.Took.String(),
		Why:  line(r, own),
	}
	if u := userOf(r.User); u != nil {
		d.User = *u
	}
	d.ImpersonatedBy = userOf(r.Impersonator)
	if r.Revision != 0 {
		d.StoredRevision = strconv.FormatInt(r.Revision, 10)
	}
	d.Switched = r.Switched
	return d
}

// letIn tells whether authentication, authorization and admission let the request pass; what happened to it then is another
// matter.
func letIn(r *decision.Record) bool {
	if r.Code == http.StatusUnauthorized || r.Code == http.StatusForbidden {
		return false
	}
	// An authorizer that could not do its work is a 500.
	last := len(r.Authorization) - 1
	return last < 0 || r.Authorization[last].Verdict == authz.Allow.String()
}

func host(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}

func userOf(u user.Info) *User {
	if u == nil {
		return nil
	}
	return &User{Username: u.GetName(), UID: u.GetUID(), Groups: u.GetGroups(), Extra: u.GetExtra()}
}

// Opinions makes the objects of what authorizers said, for those who may see all roles and bindings, or for the one
// whom they are about.
func Opinions(recorded []decision.Opinion, own bool) []Opinion {
	var out []Opinion
	for _, o := range recorded {
		one := Opinion{
			Authorizer: o.Authorizer, Verdict: o.Verdict, On: strings.TrimSpace(o.Verb + " " + o.On),
			Reason: authz.ReasonOf(o), Text: authz.Explain(o),
		}
		if d, ok := o.Because.(rbac.Decision); ok {
			one.Explanation = explain(d, own)
			one.Text = one.Explanation.Text()
		}
		out = append(out, one)
	}
	return out
}

func explain(d rbac.Decision, own bool) *rbac.Explanation {
	e := d.Explain()
	if own {
		e.NearMisses = slices.DeleteFunc(e.NearMisses, func(m rbac.NearMiss) bool { return m.Link == rbac.BrokenSubject })
		e.More = 0
	}
	return e
}

// Line is the explanation in one line: what granted a request, or what came nearest to it.
func Line(r *decision.Record) string { return line(r, false) }

// OwnLine is Line for the one who made the request; see RenderOwn.
func OwnLine(r *decision.Record) string { return line(r, true) }

func line(r *decision.Record, own bool) string {
	switch {
	case r.Code == http.StatusUnauthorized:
		return unauthenticated(r.Authentication)
	case r.Code == http.StatusForbidden:
		return forbidden(r, own)
	case r.Code >= http.StatusBadRequest:
		return r.Message
	}
	for _, o := range r.Authorization {
		if o.Verdict == authz.Allow.String() {
			if reason := authz.ReasonOf(o); reason != "" {
				return reason
			}
			return "allowed by " + o.Authorizer
		}
	}
	return r.Message
}

// unauthenticated is what the authenticators that understood the credential had against it; or, when none understood
// it, why each passed on.
func unauthenticated(asked []decision.Asked) string {
	var refused, passed []string
	anonymous := "anonymous requests are not let in"
	for _, a := range asked {
		switch {
		case a.Why == nil, a.Why == authn.WhyNoToken:
		case a.Verdict == "refused":
			refused = append(refused, a.Authenticator+": "+a.Why.Error())
		case a.Authenticator == "anonymous":
			anonymous = a.Why.Error()
		case a.Authenticator != "x509" && a.Authenticator != "requestheader":
			passed = append(passed, a.Authenticator+": "+a.Why.Error())
		}
	}
	switch {
	case len(refused) > 0:
		return strings.Join(refused, "; ")
	case len(passed) > 0: // strategies for tokens are asked only when there is one
		return "nobody knows this token; " + strings.Join(passed, "; ")
	}
	return "no credential was presented, and " + anonymous
}

func forbidden(r *decision.Record, own bool) string {
	opinions := r.Authorization
	if len(opinions) == 0 {
		opinions = r.Impersonation
	}
	for _, s := range r.Admission {
		if s.Refused != nil {
			return s.Plugin + ": " + s.Refused.Error()
		}
	}
	for _, o := range opinions {
		d, ok := o.Because.(rbac.Decision)
		if !ok || o.Verdict == authz.Allow.String() {
			continue
		}
		e := explain(d, own)
		switch {
		case len(e.NearMisses) > 0:
			return e.NearMisses[0].Says
		case len(e.Holds) == 0:
			return fmt.Sprintf("%s holds no role here", e.User)
		}
		return fmt.Sprintf("no role that %s holds here allows it", e.User)
	}
	if r.Message == "" {
		return errors.New("refused").Error()
	}
	return r.Message
}
