package cluster

import (
	"context"
	"fmt"
	"net"
	"net/url"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"coracle/apiserver/registry"
	"coracle/authn/bootstraptoken"
)

// publishInfo writes the ConfigMap kube-public/cluster-info, by which new nodes find the cluster: where it is and which
// authority it has. Signatures in it stay; if what is signed has changed, the signer makes new ones.
func (c *Cluster) publishInfo(ctx context.Context, client kubernetes.Interface, have *registry.Registry) error {
	kubeconfig, err := clientcmd.Write(clientcmdapi.Config{Clusters: map[string]*clientcmdapi.Cluster{
		"": {Server: c.advertised(), CertificateAuthorityData: c.keys.CABundle()}, // kubeadm leaves the name empty as well
	}})
	if err != nil {
		return fmt.Errorf("encode %s: %w", bootstraptoken.InfoName, err)
	}
	api := client.CoreV1().ConfigMaps(metav1.NamespacePublic)
	present, _ := have.Lookup(corev1.SchemeGroupVersion.WithKind("ConfigMap"), metav1.NamespacePublic, bootstraptoken.InfoName).(*corev1.ConfigMap)
	switch {
	case present == nil:
		_, err = api.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespacePublic, Name: bootstraptoken.InfoName},
			Data:       map[string]string{bootstraptoken.InfoKubeconfig: string(kubeconfig)},
		}, metav1.CreateOptions{})
	case present.Data[bootstraptoken.InfoKubeconfig] != string(kubeconfig):
		present = present.DeepCopy()
		if present.Data == nil {
			present.Data = map[string]string{}
		}
		present.Data[bootstraptoken.InfoKubeconfig] = string(kubeconfig)
		_, err = api.Update(ctx, present, metav1.UpdateOptions{})
	}
	return err
}

// advertised is the URL by which machines other than this one reach the server, if it was told; else its own.
func (c *Cluster) advertised() string {
	u, err := url.Parse(c.URL)
	if err != nil || len(c.config.Advertise) == 0 {
		return c.URL
	}
	u.Host = net.JoinHostPort(c.config.Advertise[0], u.Port())
	return u.String()
}

// signInfo signs cluster-info for the signer.
func signInfo(content, id, secret string) string {
	return bootstraptoken.Sign(content, bootstraptoken.Token{ID: id, Secret: secret})
}
