package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientauthenticationv1 "k8s.io/client-go/pkg/apis/clientauthentication/v1"

	"coracle/counterparts/login"
)

// loginPatience bounds how long somebody may take over the login.
const loginPatience = 5 * time.Minute

type getToken struct {
	issuer, client, caFile, user, passwordFile, cache string
}

// getTokenCommand is a credential plugin of kubectl.
func getTokenCommand() *cobra.Command {
	var g getToken
	cmd := &cobra.Command{
		Use:   "get-token",
		Short: "Log in at an OpenID Connect issuer, for kubectl",
		Long: `Log in at an OpenID Connect issuer, and print an ExecCredential, as kubectl wants it of a credential plugin.

The page to log in with is printed; with --username and --password-file it is filled in. Tokens are kept in files that
their owner alone may read, and refreshed before they end.`,
		Example: `  kubectl config set-credentials ann --exec-api-version client.authentication.k8s.io/v1 --exec-interactive-mode IfAvailable \
    --exec-command coracle --exec-arg get-token --exec-arg --issuer-url=https://127.0.0.1:7445 --exec-arg --client-id=coracle \
    --exec-arg --certificate-authority=$HOME/.coracle/default/counterparts/idp/tls.crt`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&g.issuer, "issuer-url", "", "URL of the issuer, with https://")
	f.StringVar(&g.client, "client-id", "coracle", "the client that the token is for")
	f.StringVar(&g.caFile, "certificate-authority", "", "PEM file of the authorities of the issuer's server (default: the system's)")
	f.StringVar(&g.user, "username", "", "name to log in with")
	f.StringVar(&g.passwordFile, "password-file", "", "file of the password to log in with")
	f.StringVar(&g.cache, "cache-dir", "", "directory of the tokens (default: coracle/tokens in the user's cache directory)")
	cobra.CheckErr(cmd.MarkFlagRequired("issuer-url"))
	cmd.MarkFlagsRequiredTogether("username", "password-file")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), loginPatience)
		defer cancel()
		client, err := g.newClient(cmd)
		if err != nil {
			return err
		}
		tokens, err := g.cached(ctx, client)
		if err != nil {
			return err
		}
		return printCredential(cmd.OutOrStdout(), tokens.IDToken, tokens.Ends)
	}
	return cmd
}

// printCredential writes a token as kubectl wants it of a credential plugin.
func printCredential(w io.Writer, token string, ends time.Time) error {
	return json.NewEncoder(w).Encode(&clientauthenticationv1.ExecCredential{
		TypeMeta: metav1.TypeMeta{Kind: "ExecCredential", APIVersion: clientauthenticationv1.SchemeGroupVersion.String()},
		Status:   &clientauthenticationv1.ExecCredentialStatus{Token: token, ExpirationTimestamp: &metav1.Time{Time: ends}},
	})
}

func (g *getToken) newClient(cmd *cobra.Command) (*login.Client, error) {
	if !strings.HasPrefix(g.issuer, "https://") {
		return nil, fmt.Errorf("--issuer-url %q does not begin with https://", g.issuer)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if g.caFile != "" {
		data, err := os.ReadFile(g.caFile)
		if err != nil {
			return nil, fmt.Errorf("--certificate-authority: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("--certificate-authority: there is no PEM certificate in %s", g.caFile)
		}
	}
	c := &login.Client{Issuer: strings.TrimSuffix(g.issuer, "/"), ID: g.client, Now: time.Now, Visit: login.Browser(cmd.ErrOrStderr())}
	c.HTTP = &http.Client{
		Transport:     &http.Transport{TLSClientConfig: config, Proxy: http.ProxyFromEnvironment},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if g.passwordFile != "" {
		password, err := os.ReadFile(g.passwordFile)
		if err != nil {
			return nil, fmt.Errorf("--password-file: %w", err)
		}
		c.Visit = login.Form(c.HTTP, g.user, strings.TrimRight(string(password), "\r\n"))
	}
	return c, nil
}

// cached gets tokens, and keeps them. A file that cannot be understood is as good as none.
func (g *getToken) cached(ctx context.Context, client *login.Client) (login.Tokens, error) {
	dir := g.cache
	if dir == "" {
		caches, err := os.UserCacheDir()
		if err != nil {
			return login.Tokens{}, fmt.Errorf("where to keep tokens is not known: %w; say it with --cache-dir", err)
		}
		dir = filepath.Join(caches, "coracle", "tokens")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return login.Tokens{}, fmt.Errorf("make the directory of tokens: %w", err)
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{client.Issuer, client.ID, g.user}, "\x00")))
	path := filepath.Join(dir, hex.EncodeToString(sum[:])+".json")
	var have login.Tokens
	if data, err := os.ReadFile(path); err == nil && json.Unmarshal(data, &have) != nil {
		have = login.Tokens{}
	}
	got, err := client.Token(ctx, have)
	if err != nil || got == have {
		return got, err
	}
	return got, replaceFile(path, got)
}

// replaceFile writes a file that is whole, and its owner's, from the start.
func replaceFile(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".token-*") // mode 0600
	if err != nil {
		return fmt.Errorf("keep the tokens: %w", err)
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		os.Remove(file.Name())
		return fmt.Errorf("keep the tokens: %w", err)
	}
	return nil
}
