package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/client-go/kubernetes"

	"coracle/authn/bootstraptoken"
)

func tokenListCommand() *cobra.Command {
	var c connection
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List bootstrap tokens",
		Long:  "List the bootstrap tokens, secrets and all, as kubeadm token list does. With -o json or yaml there is a document for each.",
		Args:  cobra.NoArgs,
	}
	c.addClusterFlags(cmd.Flags())
	cmd.Flags().StringVarP(&c.output, "output", "o", "text", "text, json or yaml")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if c.output == "text" {
			c.output = ""
		}
		_, client, err := c.kubernetes()
		if err != nil {
			return err
		}
		return c.listTokens(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), client, time.Now())
	}
	return cmd
}

// listTokens writes them. What is wrong with one is told beside, and does not hide the others.
func (c *connection) listTokens(ctx context.Context, out, errOut io.Writer, client kubernetes.Interface, now time.Time) error {
	secrets, err := client.CoreV1().Secrets(bootstraptoken.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "type=" + string(bootstraptoken.Type)})
	if err != nil {
		return fmt.Errorf("failed to list bootstrap tokens: %w", err)
	}
	listed := 0
	table := tabwriter.NewWriter(out, 10, 4, 3, ' ', 0)
	for i := range secrets.Items {
		spec, err := bootstraptoken.FromSecret(&secrets.Items[i])
		if err != nil {
			fmt.Fprintln(errOut, err)
			continue
		}
		if listed++; listed > 1 && c.output == "yaml" {
			fmt.Fprintln(out, "---")
		}
		if done, err := c.print(out, shownTokenOf(spec)); err != nil {
			return err
		} else if done {
			continue
		}
		if listed == 1 {
			fmt.Fprintln(table, "TOKEN\tTTL\tEXPIRES\tUSAGES\tDESCRIPTION\tEXTRA GROUPS")
		}
		ttl, expires := "<forever>", "<never>"
		if !spec.Expires.IsZero() {
			ttl, expires = duration.ShortHumanDuration(spec.Expires.Sub(now)), spec.Expires.Format(time.RFC3339)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", spec.Token.Value(), ttl, expires,
			shown(strings.Join(spec.Usages, ",")), shown(spec.Description), shown(strings.Join(spec.Groups, ",")))
	}
	return table.Flush()
}

// shown is a cell of the table: whoever made the Secret wrote it, so that it may hold more than letters.
func shown(text string) string {
	if text == "" {
		return "<none>"
	}
	return printable(text, false)
}

// shownToken is a token as kubeadm shows it to programs.
type shownToken struct {
	Kind        string       `json:"kind"`
	APIVersion  string       `json:"apiVersion"`
	Token       string       `json:"token"`
	Description string       `json:"description,omitempty"`
	Expires     *metav1.Time `json:"expires,omitempty"`
	Usages      []string     `json:"usages,omitempty"`
	Groups      []string     `json:"groups,omitempty"`
}

func shownTokenOf(spec *bootstraptoken.Spec) *shownToken {
	s := &shownToken{
		Kind: "BootstrapToken", APIVersion: "output.kubeadm.k8s.io/v1alpha3",
		Token: spec.Token.Value(), Description: spec.Description, Usages: spec.Usages, Groups: spec.Groups,
	}
	if !spec.Expires.IsZero() {
		s.Expires = &metav1.Time{Time: spec.Expires}
	}
	return s
}
