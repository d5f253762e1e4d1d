package main

import (
	"fmt"
	"net/url"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"coracle/apiserver/why"
)

const authenticatorsPath = groupPath + "authenticators"

// authnCommand switches the ways of authentication.
func authnCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "authn",
		Short: "List the ways of authentication, and switch them while the server runs",
		Long: `List the ways of authentication in the order in which they are asked, and switch them off and on while the server runs.

One that is off passes on every request, as if it were not configured; requests under way are answered as they began.
Controllers and nodes authenticate like anybody else: without x509 or serviceaccount they stand still.
What is switched is not stored: a server that is started again has everything on that its flags configure.

It takes the permission to update authenticators.coracle.dev, which at first cluster-admin alone gives.`,
	}
	cmd.AddCommand(authnListCommand(), authnSwitchCommand("enable", true), authnSwitchCommand("disable", false))
	return cmd
}

func authnListCommand() *cobra.Command {
	c := &connection{}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the authenticators in the order in which they are asked",
		Args:  cobra.NoArgs,
	}
	c.addClusterFlags(cmd.Flags())
	cmd.Flags().StringVarP(&c.output, "output", "o", "", "json or yaml; text for people otherwise")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		config, _, err := c.client()
		if err != nil {
			return err
		}
		list := &why.AuthenticatorList{}
		if err := call(cmd.Context(), config, "GET", authenticatorsPath, nil, list); err != nil {
			return err
		}
		if done, err := c.print(cmd.OutOrStdout(), list); done {
			return err
		}
		table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 3, ' ', 0)
		fmt.Fprintln(table, "NAME\tSTATE")
		for _, a := range list.Items {
			fmt.Fprintf(table, "%s\t%s\n", a.Name, a.State())
		}
		return table.Flush()
	}
	return cmd
}

func authnSwitchCommand(verb string, on bool) *cobra.Command {
	c := &connection{}
	want := why.NewAuthenticator("", on)
	cmd := &cobra.Command{
		Use:     verb + " NAME",
		Short:   map[bool]string{true: "Ask an authenticator again", false: "Ask an authenticator no more"}[on],
		Example: "  coracle authn " + verb + " tokenfile",
		Args:    cobra.ExactArgs(1),
	}
	c.addClusterFlags(cmd.Flags())
	if !on {
		cmd.Flags().BoolVar(&want.Spec.Force, "force", false, "even the one that recognises you; start the server again to undo that")
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		config, _, err := c.client()
		if err != nil {
			return err
		}
		want.Name = args[0]
		now := &why.Authenticator{}
		if err := call(cmd.Context(), config, "PUT", authenticatorsPath+"/"+url.PathEscape(want.Name), want, now); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "authenticator %q %sd\n", now.Name, verb)
		return err
	}
	return cmd
}
