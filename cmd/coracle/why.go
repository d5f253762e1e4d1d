package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"coracle/apiserver/why"
	"coracle/rbac"
)

func partial(resource, group string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Resource: resource, Group: group}
}

const groupPath = "/apis/" + why.Group + "/v1alpha1/"

// whyCommand explains what was decided.
func whyCommand() *cobra.Command {
	c := &connection{}
	var grant bool
	cmd := &cobra.Command{
		Use:   "why [ID]",
		Short: "Explain why a request was allowed or refused",
		Long: `Explain why a request was allowed or refused: who asked, what each authenticator and authorizer said, which binding, role
and rule granted it, or what came nearest to it, and the smallest change that would have allowed it.

Without an ID it is about the last refusal. IDs are printed beside each refusal in the server's terminal, by
` + "`kubectl get decisions -o wide`" + `, and in the Audit-ID header of every answer.

Whoever may not read decisions is shown their own, if they may read mydecisions.`,
		Example: `  coracle why
  coracle why 13545f64-4a59-4e69-8203-1756f82d8418
  coracle why --grant | kubectl apply -f -
  coracle why can --as system:serviceaccount:blue:some-sa list pods -n blue`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			config, _, err := c.client()
			if err != nil {
				return err
			}
			d, err := findDecision(cmd.Context(), config, args)
			if err != nil {
				return err
			}
			if grant {
				return printGrants(cmd.OutOrStdout(), d.SmallestGrants)
			}
			if done, err := c.print(cmd.OutOrStdout(), d); done {
				return err
			}
			return tellDecision(cmd.OutOrStdout(), d)
		},
	}
	c.addFlags(cmd.PersistentFlags())
	cmd.PersistentFlags().BoolVar(&grant, "grant", false, "print the smallest grant alone, as YAML for kubectl apply -f -")
	cmd.AddCommand(canCommand(c, &grant))
	return cmd
}

// findDecision gets the decision named, or the newest refusal.
func findDecision(ctx context.Context, config *rest.Config, args []string) (*why.Decision, error) {
	var firstErr error
	for _, resource := range []string{"decisions", "mydecisions"} {
		d := &why.Decision{}
		var err error
		if len(args) == 1 {
			err = call(ctx, config, "GET", groupPath+resource+"/"+url.PathEscape(args[0]), nil, d)
		} else {
			list := &why.DecisionList{}
			err = call(ctx, config, "GET", groupPath+resource+"?fieldSelector="+url.QueryEscape("allowed=false"), nil, list)
			if err == nil {
				if d = newest(list.Items); d == nil {
					return nil, errors.New("no request was refused lately; `kubectl get decisions` lists all, and `coracle why ID` explains one")
				}
			}
		}
		switch {
		case err == nil:
			return d, nil
		case !apierrors.IsForbidden(err):
			return nil, err
		case firstErr == nil:
			firstErr = err
		}
	}
	return nil, firstErr
}

// newest returns the last refusal, nil for none. That somebody may not look at all decisions is what the line before has
// just found out, and not what was asked about.
func newest(decisions []why.Decision) *why.Decision {
	for i := range slices.Backward(decisions) {
		if q := decisions[i].Request; q.APIGroup != why.Group || q.Resource != "decisions" {
			return &decisions[i]
		}
	}
	return nil
}

// tellDecision writes a decision for people.
func tellDecision(w io.Writer, d *why.Decision) error {
	var b strings.Builder
	p := paletteFor(w)
	fmt.Fprintf(&b, "%s %s\n  answered %s", d.Request.Method, p.head(cleanWord(d.Request.Path)), p.code(d.Code))
	if d.Message != "" {
		fmt.Fprintf(&b, ": %s", clean(d.Message))
	}
	fmt.Fprintf(&b, "\n\n%s\n", p.head("Who asked"))
	for _, a := range d.Authentication {
		fmt.Fprintf(&b, "  %-16s %s", a.Authenticator, p.verdict(a.Verdict))
		if a.Why != "" {
			fmt.Fprintf(&b, ": %s", cleanWord(a.Why))
		}
		b.WriteString("\n")
	}
	if d.ImpersonatedBy != nil {
		as := cmp.Or(cleanWord(d.User.Username), "somebody else")
		if d.User.Username == d.ImpersonatedBy.Username {
			as = "somebody else"
		}
		fmt.Fprintf(&b, "  %s acts as %s\n", cleanWord(d.ImpersonatedBy.Username), as)
	} else if d.User.Username != "" {
		fmt.Fprintf(&b, "  is %s, of %s\n", cleanWord(d.User.Username), cleanWord(strings.Join(d.User.Groups, ", ")))
	}
	tellOpinions(&b, p, d.Impersonation)
	if len(d.Authorization) > 0 {
		fmt.Fprintf(&b, "\n%s\n", p.head("May they"))
		tellOpinions(&b, p, d.Authorization)
	}
	if len(d.Further) > 0 {
		fmt.Fprintf(&b, "\n%s\n", p.head("May they do that besides"))
		tellOpinions(&b, p, d.Further)
	}
	if len(d.Admission) > 0 {
		fmt.Fprintf(&b, "\n%s\n", p.head("What admission did"))
		for _, a := range d.Admission {
			for _, change := range a.Changed {
				fmt.Fprintf(&b, "  %s set %s\n", a.Plugin, cleanWord(change))
			}
			for _, j := range a.Judged {
				fmt.Fprintf(&b, "  %s %s, bound by %s: %s\n", a.Plugin, cleanWord(j.Policy), cmp.Or(cleanWord(j.Binding), "nobody"), p.verdict(j.Said))
				if j.Message != "" {
					fmt.Fprintf(&b, "    %s\n", clean(j.Message))
				}
			}
			for _, c := range a.Called {
				fmt.Fprintf(&b, "  %s asked %s of %s, which took %s: %s\n", a.Plugin, cleanWord(c.Webhook), cleanWord(c.Configuration), c.Took, p.verdict(c.Said))
				if c.Message != "" {
					fmt.Fprintf(&b, "    %s\n", clean(c.Message))
				}
				for _, change := range c.Changed {
					fmt.Fprintf(&b, "    changed: %s\n", cleanWord(change))
				}
			}
			if a.Refused != "" {
				fmt.Fprintf(&b, "  %s %s: %s\n", a.Plugin, p.bad("refused"), clean(a.Refused))
			}
		}
	}
	if len(d.Impersonation)+len(d.Further) > 0 { // else it stands with the one opinion that it belongs to
		tellGrants(&b, p, d.SmallestGrants)
	}
	if d.StoredRevision != "" {
		fmt.Fprintf(&b, "\nStored as resourceVersion %s\n", d.StoredRevision)
	}
	if d.Switched != "" {
		fmt.Fprintf(&b, "\nSwitched the authenticator %s\n", d.Switched)
	}
	fmt.Fprintf(&b, "\nTook %s", d.Took)
	for i, s := range d.Stages {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		fmt.Fprintf(&b, "%s%s %s", sep, s.Name, s.Took)
	}
	_, err := fmt.Fprintln(w, b.String())
	return err
}

func tellOpinions(b *strings.Builder, p palette, opinions []why.Opinion) {
	for _, o := range opinions {
		fmt.Fprintf(b, "  %s: %s", o.Authorizer, p.verdict(o.Verdict))
		if o.On != "" {
			fmt.Fprintf(b, " to %s", cleanWord(o.On))
		}
		b.WriteString("\n")
		if o.Verdict == "no opinion" && o.Explanation == nil && o.Text == "" {
			continue
		}
		for line := range strings.Lines(o.Text) {
			fmt.Fprintf(b, "    %s\n", clean(strings.TrimRight(line, "\n")))
		}
	}
}

// tellGrants writes what would have allowed it, ready to be run.
func tellGrants(b *strings.Builder, p palette, grants []*rbac.SmallestGrant) {
	if len(grants) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", p.head("What would allow it"))
	for _, g := range grants {
		for _, command := range g.Commands {
			fmt.Fprintf(b, "  %s\n", p.hint(cleanWord(command)))
		}
	}
}

// printGrants writes them for `kubectl apply -f -`.
func printGrants(w io.Writer, grants []*rbac.SmallestGrant) error {
	if len(grants) == 0 {
		return errors.New("there is nothing to grant: it was not refused for want of a permission that can be recommended")
	}
	for _, g := range grants {
		text, err := g.Objects.YAML()
		if err != nil {
			return err
		}
		if _, err := fmt.Fprint(w, "---\n", text); err != nil {
			return err
		}
	}
	return nil
}

// canCommand explains a hypothetical request.
func canCommand(c *connection, grant *bool) *cobra.Command {
	var as string
	var groups []string
	cmd := &cobra.Command{
		Use:   "can VERB RESOURCE[/SUBRESOURCE] [NAME]",
		Short: "Explain whether somebody may do something, and why",
		Example: `  coracle why can list pods -n blue
  coracle why can --as alice --as-group dev create deployments.apps -n blue
  coracle why can --as system:serviceaccount:blue:some-sa get /metrics`,
		Args: cobra.RangeArgs(2, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			config, namespace, err := c.client()
			if err != nil {
				return err
			}
			a, err := attributes(config, namespace, args)
			if err != nil {
				return err
			}
			question := &why.AccessExplanation{
				TypeMeta: metav1.TypeMeta{Kind: "AccessExplanation", APIVersion: why.Group + "/v1alpha1"},
				Spec:     authorizationv1.SubjectAccessReviewSpec{User: as, Groups: withImplied(as, groups)},
			}
			if a.ResourceRequest {
				question.Spec.ResourceAttributes = &authorizationv1.ResourceAttributes{
					Namespace: a.Namespace, Verb: a.Verb, Group: a.APIGroup, Version: a.APIVersion,
					Resource: a.Resource, Subresource: a.Subresource, Name: a.Name,
				}
			} else {
				question.Spec.NonResourceAttributes = &authorizationv1.NonResourceAttributes{Path: a.Path, Verb: a.Verb}
			}
			if err := call(cmd.Context(), config, "POST", groupPath+"accessexplanations", question, question); err != nil {
				return err
			}
			if *grant {
				return printGrants(cmd.OutOrStdout(), question.Status.SmallestGrants)
			}
			if done, err := c.print(cmd.OutOrStdout(), question); done {
				return err
			}
			var b strings.Builder
			p := paletteFor(cmd.OutOrStdout())
			b.WriteString(map[bool]string{true: p.good("yes"), false: p.bad("no")}[question.Status.Allowed] + "\n")
			tellOpinions(&b, p, question.Status.Opinions)
			_, err = fmt.Fprint(cmd.OutOrStdout(), b.String())
			return err
		},
	}
	cmd.Flags().StringVar(&as, "as", "", "whom the question is about (default: yourself)")
	cmd.Flags().StringSliceVar(&groups, "as-group", nil, "their groups")
	return cmd
}

// withImplied adds the groups that authentication would have added.
func withImplied(as string, groups []string) []string {
	if as == "" {
		return groups
	}
	if rest, ok := strings.CutPrefix(as, "system:serviceaccount:"); ok && len(groups) == 0 {
		ns, _, _ := strings.Cut(rest, ":")
		groups = append(groups, "system:serviceaccounts", "system:serviceaccounts:"+ns)
	}
	if as == "system:anonymous" {
		return append(groups, "system:unauthenticated")
	}
	return append(groups, "system:authenticated")
}
