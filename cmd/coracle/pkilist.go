package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"coracle/authn/pki"
)

func pkiListCommand() *cobra.Command {
	var files certificateFiles
	var out connection
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the cluster's certificates as a tree: who signed what, for whom, until when",
		Long: `List every certificate of the cluster under the authority that signed it, and the keys of service-account tokens:
what each says, how long it is good, who presents it to whom, and what breaks without it.

It reads DATA-DIR/pki, kubeconfigs and nodes, whether the server runs or not, and no secret is shown.`,
		Args: cobra.NoArgs,
	}
	files.addFlags(cmd.Flags())
	cmd.Flags().StringVarP(&out.output, "output", "o", "", "json or yaml; text for people otherwise")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := out.checkOutput(); err != nil {
			return err
		}
		r, err := files.rotation()
		if err != nil {
			return err
		}
		items, err := r.Inventory()
		if err != nil {
			return err
		}
		if done, err := out.print(cmd.OutOrStdout(), items); done {
			return err
		}
		for i, item := range items {
			if i > 0 {
				fmt.Fprintln(cmd.OutOrStdout())
			}
			tellItem(cmd.OutOrStdout(), item, "", "", "")
		}
		return nil
	}
	return cmd
}

// tellItem writes one item, and below it what it signed. The columns are of the same width each time.
func tellItem(w io.Writer, i pki.Item, branch, below, indent string) {
	state := ""
	switch {
	case i.Problem != "":
		state = "BROKEN"
	case i.NotAfter.IsZero():
	case i.DaysLeft == 0:
		state = "< 1 day left"
	default:
		state = fmt.Sprintf("%d days left", i.DaysLeft)
	}
	if i.Stage != "" && i.Stage != pki.Settled {
		state += ", being replaced: " + string(i.Stage)
	}
	head := fmt.Sprintf("%-30s  %-13s  %s", branch+i.Name, strings.Join(i.Usages, ","), state)
	fmt.Fprintln(w, strings.TrimRight(head, " "))
	margin := indent + below
	if len(i.Items) > 0 {
		margin += "|  "
	} else {
		margin += "   "
	}
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(w, "%s%-9s %s\n", margin, name, printable(text, false))
		}
	}
	line("problem", i.Problem)
	line("subject", i.Subject)
	line("names", strings.Join(i.Names, ", "))
	line("presents", i.Presented)
	line("without", i.Without)
	for n, child := range i.Items {
		b, under := "|- ", "|  "
		if n == len(i.Items)-1 {
			b, under = "`- ", "   "
		}
		tellItem(w, child, indent+b, under, indent)
	}
}
