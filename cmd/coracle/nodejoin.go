package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"

	"coracle/authn/bootstraptoken"
	"coracle/cluster"
)

// nodeCommand holds what there is to do with nodes in processes of their own.
func nodeCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "node", Short: "Run a simulated node in a process of its own"}
	cmd.AddCommand(nodeJoinCommand())
	return cmd
}

func nodeJoinCommand() *cobra.Command {
	var j joining
	var token, level string
	var hashes []string
	cmd := &cobra.Command{
		Use:   "join [HOST:PORT]",
		Short: "Join a cluster as a node, and run until Ctrl-C",
		Long: `Join a cluster as a node, and run until Ctrl-C, the way that kubeadm join and a kubelet go:

  1. kube-public/cluster-info is fetched without a credential, and believed because it is signed with the token, and
     because the authority in it has the public key that --discovery-token-ca-cert-hash names.
  2. With the token, a certificate is asked for that says system:node:NAME. Somebody approves that.
  3. The certificate and its key are kept in DATA-DIR/nodes/NAME/pki. All else is done with them; they are replaced
     before they end. A second certificate is asked for, for the node's own API.

The node then registers, and runs the pods that are bound to it. Started again it needs none of these arguments.

When the cluster's authority is replaced, write the next one beside the old one into DATA-DIR/nodes/NAME/kubelet.conf
(kubectl config set-cluster), and, when it signs, it alone: the node goes by what is there, and asks for new certificates.`,
		Example: `  # on the cluster: what to run
  coracle token create --print-join-command

  coracle node join 127.0.0.1:6443 --token abcdef.0123456789abcdef --discovery-token-ca-cert-hash sha256:… --node-name worker

  # the same node, after Ctrl-C
  coracle node join --node-name worker`,
		Args: cobra.MaximumNArgs(1),
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&token, "token", "", "the bootstrap token: the cluster is recognised by it, and the node")
	f.StringArrayVar(&hashes, "discovery-token-ca-cert-hash", nil, "public key of the cluster's authority, as sha256:HEX; may be repeated")
	f.BoolVar(&j.unsafe, "discovery-token-unsafe-skip-ca-verification", false, "do without: believe whoever knows the token")
	f.StringVar(&j.name, "node-name", "", "name of the node (default: this machine's)")
	f.StringVar(&j.ip, "node-ip", "", "address of the node (default: that by which it reaches the cluster)")
	f.StringVar(&j.podCIDR, "pod-cidr", "", "network of its pods' addresses (default: one in 10.245.0.0/16 that follows from its name)")
	f.StringVar(&j.dataDir, "data-dir", "", "directory of its files (default ~/.coracle/node-NAME)")
	f.StringVar(&level, "log-level", "warn", "debug, info, warn or error")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var least slog.Level
		if err := least.UnmarshalText([]byte(level)); err != nil {
			return fmt.Errorf("--log-level %q is not known; choose debug, info, warn or error", level)
		}
		if len(args) == 1 {
			j.endpoint = args[0]
		}
		if err := j.complete(token, hashes); err != nil {
			return err
		}
		j.out = cmd.OutOrStdout()
		j.log, _ = logger(cmd.ErrOrStderr(), least)
		return j.run(cmd.Context())
	}
	return cmd
}

// complete fills in defaults and reports the first thing that is wrong.
func (j *joining) complete(token string, hashes []string) (err error) {
	if j.endpoint != "" {
		if host, port, err := net.SplitHostPort(j.endpoint); err != nil || host == "" || port == "" || strings.Contains(j.endpoint, "/") {
			return fmt.Errorf("%q is no HOST:PORT, such as 192.0.2.1:6443", j.endpoint)
		}
		if j.token, err = bootstraptoken.Parse(token); err != nil {
			return fmt.Errorf("--token: %w", err)
		}
		if j.pins, err = bootstraptoken.ParsePins(hashes); err != nil {
			return fmt.Errorf("--discovery-token-ca-cert-hash: %w", err)
		}
		if len(j.pins) == 0 && !j.unsafe {
			return errors.New("without --discovery-token-ca-cert-hash whoever knows the token could pretend to be the cluster; `coracle token create --print-join-command` tells the hash, and --discovery-token-unsafe-skip-ca-verification does without")
		}
		if len(j.pins) > 0 && j.unsafe {
			return errors.New("--discovery-token-ca-cert-hash and --discovery-token-unsafe-skip-ca-verification exclude each other")
		}
	} else if token != "" || len(hashes) > 0 {
		return errors.New("HOST:PORT of the cluster is missing")
	}
	if j.name == "" {
		if j.name, err = os.Hostname(); err != nil {
			return fmt.Errorf("this machine has no name; choose one with --node-name: %w", err)
		}
		j.name = strings.ToLower(strings.TrimSpace(j.name))
	}
	if wrong := validation.IsDNS1123Subdomain(j.name); len(wrong) > 0 {
		return fmt.Errorf("--node-name %q is no name of a node: %s", j.name, wrong[0])
	}
	if _, err := netip.ParseAddr(j.ip); j.ip != "" && err != nil {
		return fmt.Errorf("--node-ip %q is no IP address", j.ip)
	}
	if j.podCIDR == "" {
		j.podCIDR = podCIDR(j.name)
	}
	if _, err := netip.ParsePrefix(j.podCIDR); err != nil {
		return fmt.Errorf("--pod-cidr %q is no network, such as 10.245.7.0/24", j.podCIDR)
	}
	if j.dataDir == "" {
		home, err := cluster.DefaultDataDir()
		if err != nil {
			return err
		}
		j.dataDir = filepath.Join(filepath.Dir(home), "node-"+j.name)
	}
	j.dataDir, err = filepath.Abs(j.dataDir)
	return err
}
