package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

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
	s := addSettings(cmd.Flags())
	cmd.SetUsageFunc(groupedUsage)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		config, level, err := s.read(cmd.Flags())
		if err != nil {
			return err
		}
		config.Version = version
		config.Log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
		quietKlog(config.Log, level)
		c, err := cluster.Start(cmd.Context(), config)
		if err != nil {
			return err
		}
		greet(cmd.OutOrStdout(), c)
		return c.Wait()
	}
	return cmd
}

// quietKlog sends what client-go has to say to our log; at the default level that is only its errors.
func quietKlog(log *slog.Logger, level slog.Level) {
	if level > slog.LevelDebug {
		log = slog.New(slog.DiscardHandler)
	}
	klog.SetLogger(logr.FromSlogHandler(log.Handler()))
}

// greet says where the API listens and what to do next.
func greet(w io.Writer, c *cluster.Cluster) {
	kubeconfig := c.Kubeconfig
	if home, err := os.UserHomeDir(); err == nil {
		if rel, err := filepath.Rel(home, kubeconfig); err == nil && !strings.HasPrefix(rel, "..") {
			kubeconfig = filepath.Join("~", rel)
		}
	}
	fmt.Fprintf(w, `The Kubernetes API listens on %s

  export KUBECONFIG=%s

Then, in another terminal, try:

  kubectl get serviceaccounts,secrets --all-namespaces
  kubectl run web --image=nginx && kubectl get pods --watch
  kubectl auth can-i --list --as=system:serviceaccount:default:default

Ctrl-C stops it; starting again continues with the same objects, keys and certificates.
`, c.URL, kubeconfig)
}
