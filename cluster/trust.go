package cluster

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"coracle/apiserver/registry"
	"coracle/authn/pki"
)

// trust is what this server goes by when it is shown a client certificate. Servers behind it do the same when they
// find it published, in the ConfigMap kube-system/extension-apiserver-authentication.
// Source: pkg/controlplane/controller/clusterauthenticationtrust.
type trust struct {
	clients []func() []*x509.Certificate
	proxies func() []*x509.Certificate
	headers RequestHeader
}

const trustName = "extension-apiserver-authentication"

// data is the ConfigMap's. What others have published in it stays, as long as it can be read.
func (t trust) data(present map[string]string) map[string]string {
	clients := []func() []*x509.Certificate{published(present["client-ca-file"])}
	lists := map[string][]string{
		"requestheader-username-headers":     t.headers.UsernameHeaders,
		"requestheader-uid-headers":          t.headers.UIDHeaders,
		"requestheader-group-headers":        t.headers.GroupHeaders,
		"requestheader-extra-headers-prefix": t.headers.ExtraHeaderPrefixes,
		"requestheader-allowed-names":        t.headers.AllowedNames,
	}
	data := map[string]string{
		"client-ca-file":               bundle(append(clients, t.clients...)...),
		"requestheader-client-ca-file": bundle(published(present["requestheader-client-ca-file"]), t.proxies),
	}
	for key, list := range lists {
		var have []string
		if json.Unmarshal([]byte(present[key]), &have) != nil {
			have = nil
		}
		all := append(have, list...)
		slices.Sort(all)
		all = slices.Compact(all)
		if len(all) == 0 && key == "requestheader-uid-headers" {
			continue
		}
		text, _ := json.Marshal(append([]string{}, all...)) // strings can always be encoded
		data[key] = string(text)
	}
	return data
}

func published(text string) func() []*x509.Certificate {
	certs, err := pki.ParseCertificates([]byte(text))
	if err != nil {
		certs = nil
	}
	return func() []*x509.Certificate { return certs }
}

// bundle is the PEM of all certificates, each once.
func bundle(sources ...func() []*x509.Certificate) string {
	var out bytes.Buffer
	var seen []*x509.Certificate
	for _, source := range sources {
		for _, c := range source() {
			if !slices.ContainsFunc(seen, c.Equal) {
				seen = append(seen, c)
				pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
			}
		}
	}
	return out.String()
}

// publisher keeps the ConfigMap up to date, whoever changes or deletes it, and whichever file changes.
type publisher struct {
	trust
	client kubernetes.Interface
	have   *registry.Registry
	log    *slog.Logger
}

// publish brings the ConfigMap up to date.
func (p *publisher) publish(ctx context.Context) error {
	api := p.client.CoreV1().ConfigMaps(metav1.NamespaceSystem)
	present, _ := p.have.Lookup(corev1.SchemeGroupVersion.WithKind("ConfigMap"), metav1.NamespaceSystem, trustName).(*corev1.ConfigMap)
	var err error
	if present == nil {
		_, err = api.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: trustName, Namespace: metav1.NamespaceSystem}, Data: p.data(nil),
		}, metav1.CreateOptions{})
	} else if wanted := p.data(present.Data); !maps.Equal(wanted, present.Data) {
		present = present.DeepCopy()
		present.Data = wanted
		_, err = api.Update(ctx, present, metav1.UpdateOptions{})
	}
	if apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err) {
		return nil // somebody was quicker; see again later
	}
	return err
}

// publishEvery is how often the ConfigMap is looked at; looking takes microseconds.
const publishEvery = time.Second

// Run looks now and then until the context ends.
func (p *publisher) Run(ctx context.Context) error {
	tick := time.NewTicker(publishEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := p.publish(ctx); err != nil && ctx.Err() == nil {
			p.log.Warn(fmt.Sprintf("the ConfigMap kube-system/%s cannot be written", trustName), "error", err)
		}
	}
}
