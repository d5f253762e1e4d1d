package bootstraptoken

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/cert"
)

// ClusterInfo is a cluster that was recognised.
type ClusterInfo struct {
	Server string // https://HOST:PORT, as the cluster calls itself
	CA     []byte // PEM: whom to trust from now on
}

// Discovery says which cluster is looked for, and by what it is recognised.
type Discovery struct {
	Endpoint string // HOST:PORT
	Token    Token
	// Pins are what the authority's key must be among. Without any, whoever knows the token is believed.
	Pins Pins
	// Now judges the certificate of the server. Default: time.Now.
	Now func() time.Time
}

const (
	// discoverEvery is the pause between two tries: a token's signature is published a moment after the token was made.
	discoverEvery = time.Second
	// maxInfo bounds what is read of an answer, in bytes; whose answer it is we do not know yet.
	maxInfo = 1 << 20
	// askPatience bounds one request.
	askPatience = 10 * time.Second
)

// Discover fetches kube-public/cluster-info without any credential from whoever answers, and believes it when its
// signature shows that its publisher knows the token's secret. With pins, one of the authorities in it must be pinned, and a
// server with a certificate of a pinned one must then say the very same.
//
// It tries until ctx ends while nobody answers or the signature is not there yet. What is wrong, rather than missing, is
// an error at once.
func (d Discovery) Discover(ctx context.Context) (*ClusterInfo, error) {
	anyone := &tls.Config{InsecureSkipVerify: true} // the content is signed
	info, err := d.fetch(ctx, anyone)
	if err != nil {
		return nil, err
	}
	content := info.Data[InfoKubeconfig]
	if content == "" {
		return nil, fmt.Errorf("there is no %s key in the %s ConfigMap. This API Server isn't set up for token bootstrapping, can't connect", InfoKubeconfig, InfoName)
	}
	if !Verify(content, info.Data[SignaturePrefix+d.Token.ID], d.Token) {
		return nil, errors.New("failed to verify JWS signature of received cluster info object, can't trust this API Server")
	}
	found, authorities, err := readInfo(content)
	if err != nil || len(d.Pins) == 0 {
		return found, err
	}
	if err := d.Pins.check(authorities); err != nil {
		return nil, fmt.Errorf("cluster CA found in %s ConfigMap is invalid: %w", InfoName, err)
	}
	// Others that know the token may have slipped an authority of theirs in beside the pinned one: it is not asked for.
	pinned := x509.NewCertPool()
	for _, c := range authorities {
		if slices.Contains(d.Pins, Pin(c)) {
			pinned.AddCert(c)
		}
	}
	again, err := d.fetch(ctx, &tls.Config{RootCAs: pinned, MinVersion: tls.VersionTLS12, Time: d.Now})
	if err != nil {
		return nil, err
	}
	if again.Data[InfoKubeconfig] != content {
		return nil, fmt.Errorf("the second kubeconfig from the %s ConfigMap (using validated TLS) was different from the first", InfoName)
	}
	return found, nil
}

// readInfo reads the server and the authorities; all else in the kubeconfig, such as files of ours to read, is left alone.
func readInfo(content string) (*ClusterInfo, []*x509.Certificate, error) {
	config, err := clientcmd.Load([]byte(content))
	if err != nil {
		return nil, nil, fmt.Errorf("couldn't parse the kubeconfig file in the %s ConfigMap: %w", InfoName, err)
	}
	if len(config.Clusters) != 1 {
		return nil, nil, fmt.Errorf("malformed kubeconfig in the %s ConfigMap: it has %d clusters, and should have one", InfoName, len(config.Clusters))
	}
	for _, c := range config.Clusters {
		if u, err := url.Parse(c.Server); err != nil || u.Scheme != "https" || u.Host == "" {
			return nil, nil, fmt.Errorf("malformed kubeconfig in the %s ConfigMap: %q is no https URL", InfoName, c.Server)
		}
		authorities, err := cert.ParseCertsPEM(c.CertificateAuthorityData)
		if err != nil {
			return nil, nil, fmt.Errorf("failed to parse cluster CA from the %s ConfigMap: %w", InfoName, err)
		}
		return &ClusterInfo{Server: c.Server, CA: c.CertificateAuthorityData}, authorities, nil
	}
	return nil, nil, nil // not reached: there is one
}

// fetch asks until there is a signature for the token.
func (d Discovery) fetch(ctx context.Context, trust *tls.Config) (*corev1.ConfigMap, error) {
	client := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: trust, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       askPatience,
	}
	tick := time.NewTicker(discoverEvery)
	defer tick.Stop()
	var before error // what was wrong says more than that there is no time left
	for {
		info, err := d.ask(ctx, client)
		if err != nil && before != nil && ctx.Err() != nil {
			return nil, before
		}
		if err == nil {
			if info.Data[SignaturePrefix+d.Token.ID] != "" {
				return info, nil
			}
			err = fmt.Errorf("token id %q is invalid for this cluster or it has expired: the %s ConfigMap has no signature by it; make a new one with `coracle token create`", d.Token.ID, InfoName)
		}
		if _, wrong := errors.AsType[*tls.CertificateVerificationError](err); wrong {
			return nil, err
		}
		before = err
		select {
		case <-ctx.Done():
			return nil, err
		case <-tick.C:
		}
	}
}

func (d Discovery) ask(ctx context.Context, client *http.Client) (*corev1.ConfigMap, error) {
	target := url.URL{Scheme: "https", Host: d.Endpoint, Path: "/api/v1/namespaces/" + metav1.NamespacePublic + "/configmaps/" + InfoName}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("%q is no HOST:PORT", d.Endpoint)
	}
	request.Header.Set("Accept", "application/json")
	answer, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("failed to request the %s ConfigMap: %w", InfoName, err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxInfo+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("failed to request the %s ConfigMap: %w", InfoName, err)
	case len(data) > maxInfo:
		return nil, fmt.Errorf("the %s ConfigMap is larger than %d bytes", InfoName, maxInfo)
	case answer.StatusCode != http.StatusOK:
		var status metav1.Status
		if json.Unmarshal(data, &status) != nil || status.Message == "" {
			status.Message = answer.Status
		}
		return nil, fmt.Errorf("failed to request the %s ConfigMap: %.500s", InfoName, status.Message)
	}
	info := &corev1.ConfigMap{}
	if err := json.Unmarshal(data, info); err != nil {
		return nil, fmt.Errorf("the %s ConfigMap is not understood: %w", InfoName, err)
	}
	return info, nil
}
