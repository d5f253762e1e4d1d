package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"coracle/counterparts/endpoint"
	"coracle/counterparts/people"
	"coracle/counterparts/tokenreview"
)

// tokenReviewCommand runs a service that says whose a token is.
func tokenReviewCommand() *cobra.Command {
	c := &counterpart{name: "tokenreview", faults: tokenreview.Faults()}
	cmd := &cobra.Command{
		Use:   "tokenreview",
		Short: "Run a service that says whose a token is, for the API server to ask",
		Long: `Run a service that answers TokenReviews, for --authentication-token-webhook-config-file, until Ctrl-C.

The file of users names people and their tokens:

  users:
  - {name: ann, uid: "7", groups: [dev], token: anns-token}

To study what follows when the service fails, add a line to it, such as ` + "`misbehave: [down]`" + `.`,
		Example: `  coracle tokenreview --users users.yaml
  coracle up --authentication-token-webhook-config-file ~/.coracle/default/counterparts/tokenreview/webhook.conf`,
		Args: cobra.NoArgs,
	}
	c.addFlags(cmd, "127.0.0.1:7443")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.run(cmd, func(_ context.Context, e *endpoint.Endpoint, known *people.File) (http.Handler, error) {
			if err := c.tellWebhook(e); err != nil {
				return nil, err
			}
			return tokenreview.Handler(tokenreview.Known{People: known}), nil
		})
	}
	return cmd
}

// tellWebhook writes the kubeconfig by which an API server finds the service.
func (c *counterpart) tellWebhook(e *endpoint.Endpoint) error {
	config := clientcmdapi.NewConfig()
	config.Clusters[c.name] = &clientcmdapi.Cluster{Server: e.URL + "/", CertificateAuthorityData: e.CA}
	config.AuthInfos["apiserver"] = &clientcmdapi.AuthInfo{}
	config.Contexts["webhook"] = &clientcmdapi.Context{Cluster: c.name, AuthInfo: "apiserver"}
	config.CurrentContext = "webhook"
	path := filepath.Join(c.dir(), "webhook.conf")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err := fmt.Fprintf(c.out, "TokenReviews are answered on %s\n\n  coracle up --authentication-token-webhook-config-file %s\n", e.URL, path)
	return err
}
