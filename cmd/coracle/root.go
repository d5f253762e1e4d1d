package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

// root is the command without a subcommand: it says what there is.
func root(version string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "coracle",
		Short: "A miniature Kubernetes control plane that explains itself",
		Long: `Coracle is a miniature Kubernetes control plane in one binary.

It speaks the real Kubernetes API to real kubectl, client-go and Helm, keeps its objects in one file,
and simulates nodes: pods get real identities and files, and no containers. It shows how identity,
authentication, RBAC, admission and TLS work, and why a request was let in or turned away.`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	cmd.AddCommand(up(version), versionCommand(version))
	return cmd
}

func versionCommand(version string) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of coracle, and of the Kubernetes API that it simulates",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "coracle %s (Kubernetes v1.37.2, %s %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
