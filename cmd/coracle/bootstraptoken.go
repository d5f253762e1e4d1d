package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/cert"

	"coracle/authn/bootstraptoken"
)

// dryRun is the option of a write that is tried and not kept.
func dryRun(on bool) []string {
	if on {
		return []string{metav1.DryRunAll}
	}
	return nil
}

const dryRunHelp = "only let the server try it; nothing is kept"

func tokenCreateCommand() *cobra.Command {
	var c connection
	var ttl time.Duration
	var spec bootstraptoken.Spec
	var join, dry bool
	cmd := &cobra.Command{
		Use:   "create [TOKEN]",
		Short: "Create a bootstrap token, with which a node joins",
		Long: `Create a bootstrap token, with which a node joins, as kubeadm token create does.

It is kept in the Secret kube-system/bootstrap-token-ID. The new node recognises the cluster by it (usage signing), and
the cluster the node (usage authentication). Without an argument a random one is made, and printed: it is a credential.`,
		Example: `  coracle token create --print-join-command

  coracle token create --ttl 5m --description 'for the lesson'

  coracle token create abcdef.0123456789abcdef --usages signing`,
		Args: cobra.MaximumNArgs(1),
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.DurationVar(&ttl, "ttl", bootstraptoken.DefaultTTL, "after how long the token is deleted, such as 1s, 2m, 3h; 0 for never")
	f.StringSliceVar(&spec.Usages, "usages", bootstraptoken.Usages(), "what the token is for")
	f.StringSliceVar(&spec.Groups, "groups", []string{bootstraptoken.DefaultGroup}, "groups of who shows it, beside system:bootstrappers; each must match "+bootstraptoken.GroupPattern)
	f.StringVar(&spec.Description, "description", "", "for people: what it is used for")
	f.BoolVar(&join, "print-join-command", false, "print the command by which a node joins, rather than the token alone")
	f.BoolVar(&dry, "dry-run", false, dryRunHelp)
	c.addClusterFlags(f)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if spec.Token, err = bootstraptoken.New(); len(args) == 1 {
			spec.Token, err = bootstraptoken.Parse(args[0])
		}
		if err != nil {
			return err
		}
		if ttl < 0 {
			return fmt.Errorf("--ttl %s is negative; 0 makes a token that lives for ever", ttl)
		}
		if ttl > 0 {
			spec.Expires = time.Now().Add(ttl)
		}
		if !f.Changed("groups") && !slices.Contains(spec.Usages, bootstraptoken.UsageAuthentication) {
			spec.Groups = nil
		}
		if err := spec.Validate(); err != nil {
			return err
		}
		config, client, err := c.kubernetes()
		if err != nil {
			return err
		}
		if err := createToken(cmd.Context(), client, &spec, dry); err != nil {
			return err
		}
		text := spec.Token.Value()
		if join {
			if text, err = joinCommand(config, spec.Token); err != nil {
				return err
			}
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
		return err
	}
	return cmd
}

// kubernetes is a client of the cluster.
func (c *connection) kubernetes() (*rest.Config, kubernetes.Interface, error) {
	config, _, err := c.client()
	if err != nil {
		return nil, nil, err
	}
	client, err := kubernetes.NewForConfig(config)
	return config, client, err
}

func createToken(ctx context.Context, client kubernetes.Interface, spec *bootstraptoken.Spec, dry bool) error {
	_, err := client.CoreV1().Secrets(bootstraptoken.Namespace).Create(ctx, spec.Secret(), metav1.CreateOptions{DryRun: dryRun(dry)})
	if apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("a token with id %q already exists", spec.Token.ID)
	}
	if err != nil {
		return fmt.Errorf("failed to create bootstrap token %q: %w", spec.Token.ID, err)
	}
	return nil
}

// joinCommand is what to run on the machine that joins: it names the server as this kubeconfig does, and pins the
// authorities that it trusts.
func joinCommand(config *rest.Config, token bootstraptoken.Token) (string, error) {
	if err := rest.LoadTLSFiles(config); err != nil {
		return "", err
	}
	if len(config.CAData) == 0 {
		return "", errors.New("no CA certificates found in kubeconfig")
	}
	authorities, err := cert.ParseCertsPEM(config.CAData)
	if err != nil {
		return "", fmt.Errorf("failed to parse CA certificate from kubeconfig: %w", err)
	}
	text := fmt.Sprintf("coracle node join %s --token %s", strings.TrimSuffix(strings.TrimPrefix(config.Host, "https://"), "/"), token.Value())
	for _, a := range authorities {
		text += " --discovery-token-ca-cert-hash " + bootstraptoken.Pin(a)
	}
	return text, nil
}

func tokenDeleteCommand() *cobra.Command {
	var c connection
	var dry bool
	cmd := &cobra.Command{
		Use:     "delete TOKEN | ID ...",
		Short:   "Delete bootstrap tokens",
		Long:    "Delete bootstrap tokens, by their ids or as a whole, as kubeadm token delete does. Nodes that have joined by them stay.",
		Example: `  coracle token delete abcdef`,
	}
	c.addClusterFlags(cmd.Flags())
	cmd.Flags().BoolVar(&dry, "dry-run", false, dryRunHelp)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("missing argument; 'token delete' is missing token of form %q or %q", bootstraptoken.Pattern, bootstraptoken.IDPattern)
		}
		_, client, err := c.kubernetes()
		if err != nil {
			return err
		}
		return deleteTokens(cmd.Context(), cmd.OutOrStdout(), client, args, dry)
	}
	return cmd
}

func deleteTokens(ctx context.Context, out io.Writer, client kubernetes.Interface, tokens []string, dry bool) error {
	for _, text := range tokens {
		id := text
		if !bootstraptoken.ValidID(id) {
			token, err := bootstraptoken.Parse(text)
			if err != nil {
				return fmt.Errorf("given token didn't match pattern %q or %q", bootstraptoken.Pattern, bootstraptoken.IDPattern)
			}
			id = token.ID
		}
		err := client.CoreV1().Secrets(bootstraptoken.Namespace).Delete(ctx, bootstraptoken.NamePrefix+id, metav1.DeleteOptions{DryRun: dryRun(dry)})
		if err != nil {
			return fmt.Errorf("failed to delete bootstrap token %q: %w", id, err)
		}
		note := ""
		if dry {
			note = " (server dry run)"
		}
		fmt.Fprintf(out, "bootstrap token %q deleted%s\n", id, note)
	}
	return nil
}
