package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/keyutil"
)

func kubeconfigCommand() *cobra.Command {
	var p newcomer
	cmd := &cobra.Command{
		Use:   "kubeconfig --user NAME",
		Short: "Make a client certificate and a context for somebody",
		Long: `Make a client certificate and a context for somebody, the way that Kubernetes has for it:

  1. A key is made, which never leaves this machine.
  2. A CertificateSigningRequest for the user and the groups goes to the cluster.
  3. It is approved, if you may do that; if not, it says who has to do what, and waits.
  4. The certificate comes back, and a kubeconfig with it is printed, written to a file, or merged into yours.

What the user may do is another matter: see coracle why can --as NAME.`,
		Example: `  # for an hour, beside the contexts that there are
  coracle kubeconfig --user alice --group dev --expires 1h --merge
  kubectl --context alice@kubernetes auth whoami

  # for somebody else
  coracle kubeconfig --user bob --output-file bob.conf`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&p.user, "user", "", "who it is for")
	f.StringArrayVar(&p.groups, "group", nil, "a group of theirs; may be repeated")
	f.DurationVar(&p.expires, "expires", 0, "for how long, 10m at least (default: as long as the cluster gives)")
	f.BoolVar(&p.merge, "merge", false, "add the context to the kubeconfig that is in use; the current context stays")
	f.StringVar(&p.file, "output-file", "", "write a kubeconfig of its own, for its owner alone")
	f.DurationVar(&p.patience, "timeout", 10*time.Minute, "how long to wait for somebody to approve it")
	p.addClusterFlags(f)
	cmd.MarkFlagRequired("user")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		p.out, p.errOut = cmd.OutOrStdout(), cmd.ErrOrStderr()
		return p.run(cmd.Context())
	}
	return cmd
}

// newcomer is somebody who gets a certificate.
type newcomer struct {
	connection
	user     string
	groups   []string
	expires  time.Duration
	patience time.Duration
	merge    bool
	file     string

	out, errOut io.Writer
}

func (p *newcomer) run(ctx context.Context) error {
	switch {
	case p.user == "":
		return errors.New("--user is empty; say who it is for")
	case p.merge && p.file != "":
		return errors.New("--merge and --output-file exclude each other")
	case p.expires != 0 && p.expires < 10*time.Minute:
		return fmt.Errorf("--expires %s is too short; Kubernetes gives 10m at least", p.expires)
	}
	config, client, err := p.kubernetes()
	if err != nil {
		return err
	}
	key, request, err := p.request()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, p.patience)
	defer cancel()
	csr, err := client.CertificatesV1().CertificateSigningRequests().Create(ctx, request, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("ask for a certificate: %w", err)
	}
	if err := p.approve(ctx, client, csr); err != nil {
		return err
	}
	certificate, err := awaitCertificate(ctx, client, csr)
	if err != nil {
		return err
	}
	return p.keep(config, key, certificate)
}

// request makes a key, PEM, and the request for it.
func (p *newcomer) request() ([]byte, *certificatesv1.CertificateSigningRequest, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: p.user, Organization: p.groups},
	}, key)
	if err != nil {
		return nil, nil, fmt.Errorf("make a certificate request: %w", err)
	}
	keyPEM, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return nil, nil, fmt.Errorf("encode the key: %w", err)
	}
	csr := &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "user-csr-"},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
			SignerName: certificatesv1.KubeAPIServerClientSignerName,
			Usages:     []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth},
		},
	}
	if p.expires > 0 {
		csr.Spec.ExpirationSeconds = new(int32(p.expires / time.Second))
	}
	return keyPEM, csr, nil
}

// approve approves the request, or tells who can.
func (p *newcomer) approve(ctx context.Context, client kubernetes.Interface, csr *certificatesv1.CertificateSigningRequest) error {
	csr = csr.DeepCopy()
	csr.Status.Conditions = append(csr.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue,
		Reason: "CoracleApprove", Message: "This CSR was approved by coracle kubeconfig.",
	})
	_, err := client.CertificatesV1().CertificateSigningRequests().UpdateApproval(ctx, csr.Name, csr, metav1.UpdateOptions{})
	if apierrors.IsForbidden(err) {
		fmt.Fprintf(p.errOut, "You may not approve it. Whoever may update certificatesigningrequests/approval, and approve for the signer %s, runs:\n\n  kubectl certificate approve %s\n\nWaiting for that, %s at most.\n",
			csr.Spec.SignerName, csr.Name, p.patience)
		return nil
	}
	if err != nil {
		return fmt.Errorf("approve %s: %w", csr.Name, err)
	}
	return nil
}

// awaitCertificate waits until the request is signed, and returns the certificate, PEM.
func awaitCertificate(ctx context.Context, client kubernetes.Interface, asked *certificatesv1.CertificateSigningRequest) ([]byte, error) {
	const again = 200 * time.Millisecond
	tick := time.NewTicker(again)
	defer tick.Stop()
	for {
		csr, err := client.CertificatesV1().CertificateSigningRequests().Get(ctx, asked.Name, metav1.GetOptions{})
		if err == nil && csr.UID != asked.UID || apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("the request %s is gone: somebody deleted it", asked.Name)
		}
		if err != nil && ctx.Err() == nil {
			return nil, err
		}
		for _, c := range csr.Status.Conditions {
			if c.Type == certificatesv1.CertificateDenied || c.Type == certificatesv1.CertificateFailed {
				return nil, fmt.Errorf("the request %s is %s: %s: %s", csr.Name, c.Type, c.Reason, c.Message)
			}
		}
		if len(csr.Status.Certificate) > 0 {
			return csr.Status.Certificate, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the request %s was not approved and signed in time", asked.Name)
		case <-tick.C:
		}
	}
}

// keep prints the kubeconfig, or puts it where it was asked to be.
func (p *newcomer) keep(config *rest.Config, key, certificate []byte) error {
	rules := p.rules()
	raw, err := rules.Load()
	if err != nil {
		return err
	}
	from := p.context
	if from == "" {
		from = raw.CurrentContext
	}
	origin := raw.Contexts[from]
	if origin == nil || raw.Clusters[origin.Cluster] == nil {
		return fmt.Errorf("the context %q names no cluster", from)
	}
	if err := rest.LoadTLSFiles(config); err != nil {
		return err
	}
	name := p.user + "@" + origin.Cluster
	user := &clientcmdapi.AuthInfo{ClientCertificateData: certificate, ClientKeyData: key}
	at := &clientcmdapi.Context{Cluster: origin.Cluster, AuthInfo: name, Namespace: origin.Namespace}
	if p.merge {
		if other := raw.Contexts[name]; other != nil && (other.Cluster != origin.Cluster || other.AuthInfo != name) {
			return fmt.Errorf("there is a context %q for something else; rename it with kubectl config rename-context", name)
		}
		raw.AuthInfos[name], raw.Contexts[name] = user, at
		if err := clientcmd.ModifyConfig(rules, *raw, false); err != nil {
			return err
		}
		fmt.Fprintf(p.out, "kubectl --context %s auth whoami\n", name)
		return nil
	}
	cluster := raw.Clusters[origin.Cluster].DeepCopy()
	cluster.CertificateAuthority, cluster.CertificateAuthorityData = "", config.CAData
	made := clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{origin.Cluster: cluster},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: user},
		Contexts:       map[string]*clientcmdapi.Context{name: at},
		CurrentContext: name,
	}
	text, err := clientcmd.Write(made)
	if err != nil {
		return err
	}
	if p.file == "" {
		_, err = p.out.Write(text)
		return err
	}
	// Another's file is not opened and narrowed: what was readable for others may be read still.
	file, err := os.OpenFile(p.file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is there already; name another file", p.file)
	}
	if err != nil {
		return err
	}
	if _, err = file.Write(text); err == nil {
		err = file.Close()
	}
	if err == nil {
		fmt.Fprintf(p.out, "kubectl --kubeconfig %s auth whoami\n", filepath.Clean(p.file))
	}
	return err
}
