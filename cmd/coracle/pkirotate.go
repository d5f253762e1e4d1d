package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"coracle/authn/pki"
)

func pkiRotateCommand() *cobra.Command {
	var files certificateFiles
	var out connection
	var status bool
	var o pki.Rotation
	cmd := &cobra.Command{
		Use:   "rotate NAME",
		Short: "Replace a certificate or, in stages, an authority or the keys of tokens",
		Long: `Replace certificates and keys. A server that runs uses them within a second, and drops no connection.

NAME is a certificate (apiserver), a kubeconfig (admin.conf), one of a node's (node-1/kubelet-client), or all, for all of
them: each gets a new key, and the subject, names and usages that it has.

An authority (ca, front-proxy-ca, etcd/ca) and the keys of service-account tokens (sa) are replaced in three stages; each
call goes one further, so that there is time in between for whoever has a copy of what is trusted:

  trusted   the next one is trusted by all; the old one signs
  issued    the next one signs, and all that the cluster holds is issued again; the old one is trusted still
  settled   the old one is trusted no more: what it signed is no good any longer (only with --finish)

A node that joined from elsewhere has to be told in its kubelet.conf, see coracle node join.

Stages and their files are shown by --status. A rotation that was cut short goes on when it is asked for again.`,
		Example: `  coracle pki rotate apiserver

  # a client certificate that ends while you watch
  coracle pki rotate admin.conf --validity 5m

  coracle pki rotate ca             # both are trusted
  coracle pki rotate ca             # all is issued again
  coracle pki rotate ca --finish    # the old one is gone`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			r, _ := files.rotation() // without kubeconfigs the other names are there still
			return r.Names(), cobra.ShellCompDirectiveNoFileComp
		},
	}
	f := cmd.Flags()
	files.addFlags(f)
	f.DurationVar(&o.Validity, "validity", 0, "how long what is issued is good, such as 5m (default: 8760h, authorities 87600h)")
	f.BoolVar(&o.DryRun, "dry-run", false, "say what would be done, and do nothing")
	f.BoolVar(&o.Finish, "finish", false, "go the last stage: what the old authority or key signed is good no more")
	f.BoolVar(&status, "status", false, "say how far each authority, and the keys of tokens, are")
	f.StringVarP(&out.output, "output", "o", "", "json or yaml; text for people otherwise")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := out.checkOutput(); err != nil {
			return err
		}
		r, err := files.rotation()
		if err != nil {
			return err
		}
		w := cmd.OutOrStdout()
		if status {
			stages, err := r.Stages()
			if err != nil {
				return err
			}
			if done, err := out.print(w, stages); done {
				return err
			}
			for _, s := range stages {
				fmt.Fprintf(w, "%-14s  %-7s  %s\n", s.Name, s.Stage, s.Means)
			}
			return nil
		}
		if len(args) == 0 {
			return errors.New("say what to rotate, such as apiserver, admin.conf, ca, sa or all, or ask for --status")
		}
		if o.Validity < 0 {
			return fmt.Errorf("--validity %s is over before it begins", o.Validity)
		}
		r.Validity, r.DryRun, r.Finish = o.Validity, o.DryRun, o.Finish
		changes, err := r.Rotate(args[0])
		if errors.Is(err, pki.ErrUnknown) {
			return fmt.Errorf("there is nothing called %q to rotate%s", args[0], suggestion(args[0], r.Names()))
		}
		if err != nil {
			return err
		}
		if done, err := out.print(w, changes); done {
			return err
		}
		for _, c := range changes {
			fmt.Fprintf(w, "%s: %s\n", shellPath(c.File), c.What)
		}
		if o.DryRun {
			fmt.Fprintln(w, "Nothing was done: --dry-run.")
		}
		return nil
	}
	return cmd
}
