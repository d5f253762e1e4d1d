package apiserver

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coracle/apiserver/catalog"
	"coracle/apiserver/registry"
)

// Kubelets is how the API server speaks to the nodes.
type Kubelets interface {
	// TLS is the configuration of a connection to a node: with the certificate apiserver-kubelet-client, trusting whom the cluster's
	// authority signed. The name to verify is added.
	TLS() *tls.Config
}

const (
	kubeletPort    = 10250 // of nodes that say none
	kubeletTimeout = 10 * time.Second
)

// Network is how what the cluster runs is reached: nodes, and through them pods, and what is behind services.
type Network struct {
	Registry *registry.Registry
	Catalog  *catalog.Catalog
	// Kubelets is nil where nodes are not spoken to.
	Kubelets Kubelets
}

func (s *Server) network() Network {
	return Network{Registry: s.Registry, Catalog: s.Catalog, Kubelets: s.Kubelets}
}

// kubelet is where a node's own API is.
type kubelet struct {
	host, port string
}

func (k kubelet) address() string { return net.JoinHostPort(k.host, k.port) }

// kubeletOf finds a node by the address that it gives itself.
// Source: k8s.io/kubernetes/pkg/kubelet/client (NodeConnectionInfoGetter).
func (n Network) kubeletOf(name string) (kubelet, error) {
	node := n.Registry.Node(name)
	if node == nil {
		return kubelet{}, apierrors.NewNotFound(schema.GroupResource{Resource: "nodes"}, name)
	}
	for _, kind := range []corev1.NodeAddressType{corev1.NodeInternalIP, corev1.NodeExternalIP, corev1.NodeHostName} {
		for _, a := range node.Status.Addresses {
			if a.Type != kind {
				continue
			}
			port := int(node.Status.DaemonEndpoints.KubeletEndpoint.Port)
			if port <= 0 {
				port = kubeletPort
			}
			return kubelet{a.Address, strconv.Itoa(port)}, nil
		}
	}
	return kubelet{}, fmt.Errorf("no preferred addresses found; known addresses: %v", node.Status.Addresses)
}

// kubeletTransport speaks HTTP/1.1, which alone can be upgraded. A connection is made for each request: certificates and authorities
// are those of the moment, and few ask.
func (n Network) kubeletTransport(insecure bool) *http.Transport {
	return &http.Transport{
		DisableKeepAlives: true,
		DialTLSContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return n.dialKubelet(ctx, address, insecure)
		},
	}
}

func (n Network) dialKubelet(ctx context.Context, address string, insecure bool) (net.Conn, error) {
	if n.Kubelets == nil {
		return nil, errors.New("this server does not speak to nodes")
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	config := n.Kubelets.TLS()
	config.ServerName, config.InsecureSkipVerify = host, insecure
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: kubeletTimeout}, Config: config}
	return dialer.DialContext(ctx, "tcp", address)
}

// dialPod connects to a port of a pod, by way of its node: no network has the addresses of simulated pods.
func (n Network) dialPod(ctx context.Context, pod *corev1.Pod, port string) (net.Conn, error) {
	at, err := n.kubeletOf(pod.Spec.NodeName)
	if err != nil {
		return nil, err
	}
	conn, err := n.dialKubelet(ctx, at.address(), false)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+at.address()+"/dial/"+pod.Namespace+"/"+pod.Name+"/"+port, nil)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "tcp")
	reader := bufio.NewReader(conn)
	conn.SetDeadline(time.Now().Add(kubeletTimeout))
	err = request.Write(conn)
	if err == nil {
		var answer *http.Response
		if answer, err = http.ReadResponse(reader, request); err == nil && answer.StatusCode != http.StatusSwitchingProtocols {
			err = fmt.Errorf("dial tcp %s: connect: connection refused", net.JoinHostPort(pod.Status.PodIP, port))
		}
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	conn.SetDeadline(time.Time{})
	return &readAhead{conn, reader}, nil
}

// readAhead is a connection of which some has been read.
type readAhead struct {
	net.Conn
	reader *bufio.Reader
}

func (r *readAhead) Read(p []byte) (int, error) { return r.reader.Read(p) }
