package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"coracle/counterparts/endpoint"
	"coracle/counterparts/idp"
	"coracle/counterparts/people"
)

// idpCommand runs an issuer.
func idpCommand() *cobra.Command {
	c := &counterpart{name: "idp", faults: idp.Faults()}
	var client string
	cmd := &cobra.Command{
		Use:   "idp",
		Short: "Run an OpenID Connect issuer, with people from a file",
		Long: `Run an OpenID Connect issuer until Ctrl-C: people log in with name and password, and get ID tokens, which last ten minutes,
and refresh tokens. ` + "`coracle get-token`" + ` logs in for kubectl.

  users:
  - {name: ann, email: ann@example.com, groups: [dev], password: anns-password}

Tokens have the claims sub (the name), groups, and uid and email where the file has them.`,
		Example: `  coracle idp --users users.yaml
  coracle up --oidc-issuer-url https://127.0.0.1:7445 --oidc-client-id coracle --oidc-groups-claim groups \
    --oidc-ca-file ~/.coracle/default/counterparts/idp/tls.crt`,
		Args: cobra.NoArgs,
	}
	c.addFlags(cmd, "127.0.0.1:7445")
	cmd.Flags().StringVar(&client, "client-id", "coracle", "the client that tokens are for")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.run(cmd, func(_ context.Context, e *endpoint.Endpoint, known *people.File) (http.Handler, error) {
			issuer, err := idp.New(e.URL, client, known, time.Now)
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(c.out, "The issuer is %s\n\n  coracle up --oidc-issuer-url %s --oidc-client-id %s --oidc-groups-claim groups --oidc-ca-file %s\n", e.URL, e.URL, client, e.CAFile)
			return issuer.Handler(), nil
		})
	}
	return cmd
}
