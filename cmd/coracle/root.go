package main

import (
	"path/filepath"

	"github.com/spf13/cobra"
)

// root is the command without a subcommand: it says what there is. Called by the name kubectl-coracle it is a plugin
// of kubectl with the same commands, and its help says so.
func root(version, program string) *cobra.Command {
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
	if filepath.Base(program) == "kubectl-coracle" {
		cmd.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl coracle"}
	}
	cmd.AddCommand(up(version), whyCommand(), whoCanCommand(), accessMatrixCommand(), kubeconfigCommand())
	cmd.AddCommand(tokenCommand(), pkiCommand(), authnCommand(), nodeCommand())
	cmd.AddCommand(idpCommand(), getTokenCommand(), tokenReviewCommand(), frontProxyCommand(), stsCommand(), versionCommand(version))
	return cmd
}
