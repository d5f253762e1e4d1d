package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"

	"coracle/apiserver/registry"
	"coracle/authn/pki"
	kubeletsim "coracle/kubelet-sim"
	"coracle/kubelet-sim/certificate"
)

// How the nodes of this process come by their certificates.
const (
	BootstrapNodes = "bootstrap" // as any node that joins: a bootstrap token, requests, who approves, the signer
	IssuedNodes    = "issued"    // they are handed them by the authority, whose key is here
)

// startNodes starts the simulated nodes: node-1, node-2 and so on. It does not wait until they have joined.
func (c *Cluster) startNodes(ctx context.Context, clients clientFactory, own kubernetes.Interface, have *registry.Registry) error {
	token := &joinToken{client: own, now: c.config.Now}
	for i := range c.config.Nodes {
		n := &ownNode{
			Cluster: c, name: fmt.Sprintf("node-%d", i+1), podCIDR: fmt.Sprintf("10.244.%d.0/24", i), clients: clients, own: own, token: token,
		}
		var err error
		if n.dir, err = certificate.OpenDir(c.config.DataDir, n.name); err != nil {
			return fmt.Errorf("the directory of %s cannot be used: %w", n.name, unwrapPath(err))
		}
		if n.listener, err = listenAsBefore(have, n.name); err != nil {
			n.dir.Close()
			return fmt.Errorf("the API of %s cannot listen: %w", n.name, err)
		}
		c.run(ctx, n.name, n)
	}
	return nil
}

// listenAsBefore listens where the Node says, so that it is found at once after a restart; elsewhere if that is taken.
func listenAsBefore(have *registry.Registry, node string) (net.Listener, error) {
	if before := have.Node(node); before != nil {
		if l, err := net.Listen("tcp", net.JoinHostPort(nodeIP().String(), fmt.Sprint(before.Status.DaemonEndpoints.KubeletEndpoint.Port))); err == nil {
			return l, nil
		}
	}
	return net.Listen("tcp", net.JoinHostPort(nodeIP().String(), "0"))
}

// nodeIP is the address of all nodes of this process.
func nodeIP() net.IP { return net.IPv4(127, 0, 0, 1) }

// ownNode is a node of this process. It joins as any node does, see docs/adr/0008-own-nodes-join.md: what this process does for it
// is to make the token, and to approve the one request that otherwise waits for a person.
type ownNode struct {
	*Cluster
	name, podCIDR string
	clients       clientFactory
	own           kubernetes.Interface // the server's own client
	token         *joinToken
	dir           *certificate.Dir
	listener      net.Listener
}

// servingPatience is how long a caller waits for the node's first certificate at most.
const servingPatience = 2 * time.Second

// Run joins, unless that was done before, and is the node until ctx ends.
func (n *ownNode) Run(ctx context.Context) error {
	defer n.dir.Close()
	defer n.listener.Close()
	var client, serving *certificate.Manager
	api, err := kubernetes.NewForConfig(n.clients.as("kubelet", func() []*x509.Certificate {
		if pair := client.Current(); pair != nil {
			return []*x509.Certificate{pair.Leaf}
		}
		return nil
	}))
	if err != nil {
		return err
	}
	client = n.manager(certificate.Config{
		Name: "kubelet-client", Template: certificate.Client(n.name), Client: api, Introduce: n.introduce,
	}, func(by *pki.Authority) (tls.Certificate, error) { return by.NodeClient(n.name) })
	serving = n.manager(certificate.Config{
		Name: "kubelet-server", Template: certificate.Serving(n.name, nodeIP()), Client: api, Asked: n.approve,
	}, func(by *pki.Authority) (tls.Certificate, error) { return by.NodeServing(n.name, nodeIP()) })

	var beside sync.WaitGroup
	defer beside.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	beside.Go(func() { client.Run(ctx) })
	if client.Wait(ctx) != nil {
		return nil // ctx ended
	}
	if client.Kept() {
		if err := n.dir.SaveCluster(n.URL, n.keys.CABundle(), "kubelet-client"); err != nil {
			return fmt.Errorf("the kubeconfig of %s cannot be written: %w", n.name, unwrapPath(err))
		}
	}
	beside.Go(func() { serving.Run(ctx) })
	return kubeletsim.New(kubeletsim.Config{
		NodeName:  n.name,
		Client:    api,
		Dir:       n.config.DataDir,
		NodeIP:    nodeIP().String(),
		PodCIDR:   n.podCIDR,
		Listener:  n.listener,
		ClientCAs: func() *x509.CertPool { return n.keys.Authority().Pool() },
		Certificate: func() (*tls.Certificate, error) {
			// It is on its way when the node has just joined: then a first `kubectl logs` takes a moment longer, and does not fail.
			waiting, done := context.WithTimeout(ctx, servingPatience)
			defer done()
			if serving.Wait(waiting) != nil {
				return nil, errors.New("no serving certificate available for the kubelet")
			}
			return serving.Current(), nil
		},
		APIServer: strings.TrimPrefix(n.URL, "https://"),
		Log:       n.config.Log,
		Now:       n.config.Now,
	}).Run(ctx)
}

// manager keeps one of the node's certificates, which issue makes where nobody is asked. Where the authority's key is kept elsewhere,
// and nobody has put a certificate in place, the node has one of this process alone.
func (n *ownNode) manager(config certificate.Config, issue func(*pki.Authority) (tls.Certificate, error)) *certificate.Manager {
	config.Dir, config.Now, config.Log = n.dir, n.config.Now, n.config.Log.With("node", n.name)
	config.Trusted = n.trusts()
	if n.config.NodeCertificates == IssuedNodes {
		config.Issue = func() (tls.Certificate, error) { return issue(n.keys.Authority()) }
	}
	kept := certificate.NewManager(config)
	if kept.Current() != nil || n.keys.Authority().CanSign() {
		return kept
	}
	config.Log.Warn("a certificate cannot be signed here, and the node goes by one of this process alone", "certificate", config.Name, "error", pki.ErrNoKey)
	config.Dir, config.Trusted = nil, nil
	config.Issue = func() (tls.Certificate, error) { return issue(n.keys.Loopback()) }
	return certificate.NewManager(config)
}

// trusts tells whether a certificate is from one of the cluster's authorities, as these are now. To look again costs nothing while
// neither has changed.
func (n *ownNode) trusts() func(*x509.Certificate) bool {
	var by *pki.Authority
	var of *x509.Certificate
	var signed bool
	return func(c *x509.Certificate) bool {
		if now := n.keys.Authority(); by != now || of != c {
			by, of, signed = now, c, now.Signed(c)
		}
		return signed
	}
}
