package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"

	"coracle/counterparts/eks"
	"coracle/counterparts/sts/sigv4"
)

// defaultClusterID is what the cluster is called, and so what tokens are for.
const defaultClusterID = "coracle"

// stsTokenCommand is a credential plugin of kubectl.
func stsTokenCommand() *cobra.Command {
	var endpoint, cluster, region string
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make a token for EKS, for kubectl",
		Long: `Make a token for EKS, and print an ExecCredential, as kubectl wants it of a credential plugin, and as ` + "`aws eks get-token`" + ` does.

The access key is in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, that of a role also in AWS_SESSION_TOKEN. Nobody is asked for the
token: it is signed here, and the secret stays here.`,
		Example: `  AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=... coracle sts token --cluster-id coracle`,
		Args:    cobra.NoArgs,
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&cluster, "cluster-id", defaultClusterID, "name of the cluster that the token is for")
	f.StringVar(&endpoint, "endpoint-url", "https://127.0.0.1:7447", "URL of the STS that is to be asked")
	f.StringVar(&region, "region", "us-east-1", "region that the signature is for")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		to, err := url.Parse(endpoint)
		if err != nil || to.Scheme != "https" || to.Host == "" || to.Path != "" && to.Path != "/" {
			return fmt.Errorf("--endpoint-url %q is no URL such as https://127.0.0.1:7447", endpoint)
		}
		c := sigv4.Credentials{
			AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
			SessionToken: os.Getenv("AWS_SESSION_TOKEN"),
		}
		if c.AccessKeyID == "" || c.SecretAccessKey == "" {
			return errors.New("there is no access key; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
		}
		token, ends := eks.NewToken(to, cluster, c, region, time.Now())
		return printCredential(cmd.OutOrStdout(), token, ends)
	}
	return cmd
}
