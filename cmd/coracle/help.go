package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The groups under which `coracle up --help` lists the flags.
const (
	groupCluster = "The cluster"
	groupNetwork = "Where it listens"
	groupAuthn   = "Who is let in"
	groupIssuers = "Who is asked, of tokens that others issue"
	groupProxies = "Which proxies are believed when they say who asks"
	groupAuthz   = "What they may do"
	groupAudit   = "What is written down of it"
	groupOutput  = "Settings and output"
	annotation   = "group"
)

func groups() []string {
	return []string{groupCluster, groupNetwork, groupAuthn, groupIssuers, groupProxies, groupAuthz, groupAudit, groupOutput}
}

// group returns the group that a flag was put in, "" for none.
func group(f *pflag.Flag) string {
	if g := f.Annotations[annotation]; len(g) == 1 {
		return g[0]
	}
	return ""
}

// groupedUsage lists the flags by what they are about, in the order in which they were defined.
func groupedUsage(cmd *cobra.Command) error {
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "Usage:\n  %s\n", cmd.UseLine())
	if cmd.HasExample() {
		fmt.Fprintf(out, "\nExamples:\n%s\n", cmd.Example)
	}
	for _, name := range groups() {
		set := pflag.NewFlagSet(name, pflag.ContinueOnError)
		set.SortFlags = false
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if group(f) == name {
				set.AddFlag(f)
			}
		})
		fmt.Fprintf(out, "\n%s:\n%s", name, set.FlagUsagesWrapped(100))
	}
	return nil
}
