package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"coracle/cluster"
)

func up(version string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run a cluster in the foreground",
		Long: `Run a cluster in the foreground, until Ctrl-C.

Objects, keys, certificates and kubeconfigs are kept in the data directory: starting again continues where the
cluster was. The administrator's kubeconfig is DATA-DIR/kubeconfigs/admin.conf; it is complete before
/readyz answers 200.

Settings come from flags, from the environment (CORACLE_SECURE_PORT=7443) and from a YAML file (--config), in which
the keys are the flags' names. A flag beats the environment, which beats the file.`,
		Example: `  # a cluster in ~/.coracle/default, on port 6443
  coracle up

  # another beside it, on a port that the system chooses, with three nodes
  coracle up --data-dir /tmp/lesson --secure-port 0 --nodes 3

  # service accounts as since Kubernetes 1.24: no token Secrets, bound tokens in pods
  coracle up --era modern`,
		Args: cobra.NoArgs,
	}
	addSettings(cmd.Flags())
	cmd.SetUsageFunc(groupedUsage)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		begun := time.Now()
		config, level, err := readSettings(cmd.Flags())
		if err != nil {
			return err
		}
		config.Version = version
		config.Log, config.SetVerbosity = logger(cmd.ErrOrStderr(), level)
		c, err := cluster.Start(cmd.Context(), config)
		if err != nil {
			return err
		}
		go settle(cmd.Context(), config.Log)
		greet(cmd.OutOrStdout(), c.URL, c.Kubeconfig, time.Since(begun))
		return c.Wait()
	}
	return cmd
}

// greet says where the API listens and what to do next.
func greet(w io.Writer, url, kubeconfig string, took time.Duration) {
	fmt.Fprintf(w, `The Kubernetes API listens on %s (ready in %s).

  export KUBECONFIG=%s

Then, in another terminal, try:

  kubectl get serviceaccounts,secrets --all-namespaces
  kubectl run web --image=nginx && kubectl get pods --watch
  kubectl auth can-i --list --as=system:serviceaccount:default:default

Ctrl-C stops it; starting again continues with the same objects, keys and certificates.
`, url, took.Round(time.Millisecond), shellPath(kubeconfig))
}

// shellPath is a path as it can be pasted into a shell: short where it is below the home directory, quoted where it
// has to be.
func shellPath(path string) string {
	if home, err := os.UserHomeDir(); err == nil {
		if rel, err := filepath.Rel(home, path); err == nil && filepath.IsLocal(rel) && plain(rel) {
			return "~/" + filepath.ToSlash(rel)
		}
	}
	if plain(path) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// plain tells whether no shell sees more than letters in text.
func plain(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("/._-+@:,", r)
	})
}
