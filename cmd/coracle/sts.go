package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"coracle/counterparts/eks"
	"coracle/counterparts/endpoint"
	"coracle/counterparts/people"
	"coracle/counterparts/sts"
	"coracle/counterparts/tokenreview"
)

// eksService is an STS, and the webhook that asks it.
type eksService struct {
	counterpart
	cluster, account, listenSTS, kubeconfig string
}

// stsCommand runs what a cluster of EKS logs people in with.
func stsCommand() *cobra.Command {
	s := &eksService{counterpart: counterpart{name: "eks", faults: sts.Faults()}}
	cmd := &cobra.Command{
		Use:   "sts",
		Short: "Log people in as Amazon EKS does: a simulated STS, and the webhook that asks it",
		Long: `Run a small Security Token Service of AWS, and the webhook by which an API server of EKS learns whose a token is, until Ctrl-C.

A token is a question to STS ("who am I?"), signed with an access key and not yet asked. The API server hands it to the webhook,
the webhook asks STS, and the ConfigMap kube-system/aws-auth says who that user or role of AWS is in the cluster.
` + "`coracle sts token`" + ` makes such tokens; aws-iam-authenticator and ` + "`aws eks get-token`" + ` do too, with AWS_ENDPOINT_URL_STS.

The file of users has their access keys. One with a role stands for that role, taken by its owner:

  users:
  - name: ann
    accessKeys:
    - {id: AKIAANN0000000000001, secret: anns-secret}
    - {id: ASIAANN0000000000001, secret: roles-secret, sessionToken: roles-token, role: deployer}

To study what follows when something fails, add a line to it, such as ` + "`misbehave: [sts-down]`" + `; slow and down concern the webhook.`,
		Example: `  coracle sts --users users.yaml
  coracle up --authentication-token-webhook-config-file ~/.coracle/default/counterparts/eks/webhook.conf
  kubectl create configmap aws-auth -n kube-system \
    --from-literal=mapUsers='[{userarn: "arn:aws:iam::111122223333:user/ann", username: ann, groups: [dev]}]'`,
		Args: cobra.NoArgs,
	}
	s.addFlags(cmd, "127.0.0.1:7446")
	f := cmd.Flags()
	f.StringVar(&s.listenSTS, "listen-sts", "127.0.0.1:7447", "HOST:PORT on which STS listens")
	f.StringVar(&s.cluster, "cluster-id", defaultClusterID, "name of the cluster, for which tokens have to be")
	f.StringVar(&s.account, "account", "111122223333", "number of the AWS account that all are of")
	f.StringVar(&s.kubeconfig, "kubeconfig", "", "kubeconfig by which aws-auth is read (default kubeconfigs/admin.conf in the data directory)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if len(s.account) != 12 || strings.Trim(s.account, "0123456789") != "" {
			return fmt.Errorf("--account %q is no number of twelve digits", s.account)
		}
		ctx, cancel := context.WithCancel(cmd.Context())
		cmd.SetContext(ctx)
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel() // when the webhook ends, so does STS
		return s.run(cmd, func(ctx context.Context, e *endpoint.Endpoint, known *people.File) (http.Handler, error) {
			return s.start(ctx, &wg, e, known)
		})
	}
	cmd.AddCommand(stsTokenCommand())
	return cmd
}

// start serves STS beside the webhook, whose handler it returns.
func (s *eksService) start(ctx context.Context, wg *sync.WaitGroup, e *endpoint.Endpoint, known *people.File) (http.Handler, error) {
	asked, err := endpoint.Open(filepath.Join(s.dataDir, "counterparts", "sts"), s.listenSTS, time.Now())
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(asked.CA)
	service := &sts.Service{People: known, Account: s.account, Now: time.Now, Log: s.log}
	wg.Go(func() {
		if err := asked.Serve(ctx, service, slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)); err != nil {
			s.log.Error("STS has ended", "error", err)
		}
	})
	if err := s.tellWebhook(e); err != nil {
		return nil, err
	}
	if err := s.tellTokens(s.out, asked); err != nil {
		return nil, err
	}
	return tokenreview.Handler(&eks.Authenticator{
		STS: strings.TrimPrefix(asked.URL, "https://"), Cluster: s.cluster, AWSAuth: s.awsAuth, Now: time.Now, Log: s.log,
		RoundTripper: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}},
	}), nil
}

func (s *eksService) tellTokens(w io.Writer, asked *endpoint.Endpoint) error {
	_, err := fmt.Fprintf(w, `
STS is %s, with the certificate %s; the cluster is %q

  kubectl config set-credentials ann --exec-api-version client.authentication.k8s.io/v1 --exec-interactive-mode Never \
    --exec-env AWS_ACCESS_KEY_ID=... --exec-env AWS_SECRET_ACCESS_KEY=... \
    --exec-command coracle --exec-arg sts --exec-arg token --exec-arg --endpoint-url=%s --exec-arg --cluster-id=%s
`, asked.URL, asked.CAFile, s.cluster, asked.URL, s.cluster)
	return err
}

// awsAuth reads the ConfigMap. The kubeconfig may not be there before the cluster is.
func (s *eksService) awsAuth(ctx context.Context) (map[string]string, error) {
	c := connection{kubeconfig: s.kubeconfig}
	if c.kubeconfig == "" {
		c.kubeconfig = filepath.Join(s.dataDir, "kubeconfigs", "admin.conf")
	}
	config, _, err := c.client()
	if err != nil {
		return nil, err
	}
	config.Timeout = 5 * time.Second
	var object corev1.ConfigMap
	err = call(ctx, config, http.MethodGet, "/api/v1/namespaces/kube-system/configmaps/aws-auth", nil, &object)
	if status, ok := errors.AsType[*apierrors.StatusError](err); ok && apierrors.IsNotFound(status) {
		return nil, nil
	}
	return object.Data, err
}
