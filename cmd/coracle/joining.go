package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"coracle/authn/bootstraptoken"
	kubeletsim "coracle/kubelet-sim"
	"coracle/kubelet-sim/certificate"
)

// joining is a node on its way into a cluster.
type joining struct {
	endpoint string // empty: it has joined before
	token    bootstraptoken.Token
	pins     bootstraptoken.Pins
	unsafe   bool

	name, ip, podCIDR, dataDir string

	out io.Writer
	log *slog.Logger
}

const (
	// discoveryPatience is kubeadm's, approvalPatience the kubelet's.
	discoveryPatience = 5 * time.Minute
	approvalPatience  = time.Hour
	// What a kubelet asks of the API server at most, in requests a second, by default.
	kubeletQPS, kubeletBurst = 50, 100
)

// run joins, unless that was done before, and is the node until ctx ends.
func (j *joining) run(ctx context.Context) error {
	dir, err := certificate.OpenDir(j.dataDir, j.name)
	if err != nil {
		return fmt.Errorf("the data directory %s cannot be used: %w", j.dataDir, err)
	}
	defer dir.Close()
	client := certificate.NewManager(certificate.Config{
		Name: "kubelet-client", Template: certificate.Client(j.name), Dir: dir, Now: time.Now, Log: j.log, Asked: j.asked,
	})
	server, _, err := dir.Cluster()
	if err != nil {
		return err
	}
	if pair := client.Current(); server != "" && pair != nil {
		if j.endpoint != "" && server != "https://"+j.endpoint {
			return fmt.Errorf("%s has joined %s before; remove %s to join another cluster, or run `coracle node join --node-name %s`", j.name, server, dir.Path("kubelet-client"), j.name)
		}
		fmt.Fprintf(j.out, "%s has joined %s before. Its certificate is good until %s.\n", j.name, server, pair.Leaf.NotAfter.Local().Format(time.DateTime))
	} else if server, err = j.bootstrap(ctx, dir, client); err != nil {
		return err
	}

	trust, err := dir.Trust()
	if err != nil {
		return err
	}
	client.SetTrust(trust)
	api, err := kubernetes.NewForConfig(&rest.Config{Host: server, Transport: client.Transport(trust), UserAgent: "kubelet", QPS: kubeletQPS, Burst: kubeletBurst})
	if err != nil {
		return err
	}
	client.SetClient(api)
	if j.ip == "" {
		j.ip = localAddress(server)
	}
	serving := certificate.NewManager(certificate.Config{
		Name: "kubelet-server", Template: certificate.Serving(j.name, net.ParseIP(j.ip)), Dir: dir, Client: api, Trusted: trust.Signed, Now: time.Now, Log: j.log,
		Asked: func(_ context.Context, request *certificatesv1.CertificateSigningRequest) {
			fmt.Fprintf(j.out, "A certificate for the node's own API is asked for, which people approve: kubectl certificate approve %s\n", request.Name)
		},
	})
	fmt.Fprintf(j.out, "The node %s runs. Its pods' files are in %s. Ctrl-C stops it.\n", j.name, j.dataDir)
	var beside sync.WaitGroup
	defer beside.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	beside.Go(func() { trust.Run(ctx, j.log) })
	for _, m := range []*certificate.Manager{client, serving} {
		beside.Go(func() { m.Run(ctx) })
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(j.ip, "0"))
	if err != nil {
		return fmt.Errorf("the node's own API cannot listen on %s: %w; choose an address of this machine with --node-ip", j.ip, err)
	}
	return kubeletsim.New(kubeletsim.Config{
		NodeName: j.name, Client: api, Dir: j.dataDir, NodeIP: j.ip, PodCIDR: j.podCIDR, Log: j.log,
		Listener: listener, ClientCAs: trust.Pool, APIServer: hostPort(server),
		Certificate: func() (*tls.Certificate, error) {
			if pair := serving.Current(); pair != nil {
				return pair, nil
			}
			return nil, errors.New("no serving certificate available for the kubelet")
		},
	}).Run(ctx)
}

// bootstrap finds the cluster, recognises it, and comes by a first certificate.
func (j *joining) bootstrap(ctx context.Context, dir *certificate.Dir, client *certificate.Manager) (server string, err error) {
	if j.endpoint == "" {
		return "", fmt.Errorf("%s has not joined yet, or its certificate is over: say HOST:PORT, --token and --discovery-token-ca-cert-hash, as `coracle token create --print-join-command` prints them", j.name)
	}
	fmt.Fprintf(j.out, "Asking %s for cluster-info.\n", j.endpoint)
	looking, done := context.WithTimeout(ctx, discoveryPatience)
	defer done()
	found, err := bootstraptoken.Discovery{Endpoint: j.endpoint, Token: j.token, Pins: j.pins}.Discover(looking)
	if err != nil {
		return "", err
	}
	how := "by the token's signature, and its authority by the hash"
	if j.unsafe {
		how = "by the token's signature alone"
	}
	fmt.Fprintf(j.out, "The cluster is recognised %s. It is at %s.\n", how, found.Server)

	api, err := kubernetes.NewForConfig(&rest.Config{
		Host: found.Server, BearerToken: j.token.Value(), UserAgent: "kubelet", TLSClientConfig: rest.TLSClientConfig{CAData: found.CA},
	})
	if err != nil {
		return "", err
	}
	if err := j.free(ctx, api); err != nil {
		return "", err
	}
	client.SetClient(api)
	waiting, done := context.WithTimeout(ctx, approvalPatience)
	defer done()
	if err := client.Obtain(waiting); err != nil {
		return "", fmt.Errorf("no certificate for %s is to be had: %w", j.name, err)
	}
	if err := dir.SaveCluster(found.Server, found.CA, "kubelet-client"); err != nil {
		return "", err
	}
	fmt.Fprintf(j.out, "The certificate of system:node:%s is in %s. The token is not needed any more.\n", j.name, dir.Path("kubelet-client"))
	return found.Server, nil
}

// free reports an error when the cluster has a node of this name that is up: two would take each other's place.
func (j *joining) free(ctx context.Context, api kubernetes.Interface) error {
	node, err := api.CoreV1().Nodes().Get(ctx, j.name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err): // tokens of another group may not look
		return nil
	case apierrors.IsUnauthorized(err):
		return errors.New("the cluster does not let the token in: it is for signing alone, or over; make another with `coracle token create`")
	case err != nil:
		return fmt.Errorf("cannot get Node %q: %w", j.name, err)
	}
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
			return fmt.Errorf("a Node with name %q and status %q already exists in the cluster. You must delete the existing Node or change the name of this new joining Node", j.name, corev1.NodeReady)
		}
	}
	return nil
}

// asked tells which request waits for approval.
func (j *joining) asked(_ context.Context, request *certificatesv1.CertificateSigningRequest) {
	fmt.Fprintf(j.out, "A certificate is asked for. Unless it is approved by itself: kubectl certificate approve %s\n", request.Name)
}

// localAddress is the address of this machine from which it reaches the server. No packet is sent.
func localAddress(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		return ""
	}
	c, err := net.Dial("udp", u.Host)
	if err != nil {
		return ""
	}
	defer c.Close()
	host, _, _ := net.SplitHostPort(c.LocalAddr().String())
	return host
}

// hostPort is where a server listens.
func hostPort(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		return ""
	}
	return u.Host
}

// podCIDR is a network for the pods of a node that was given none. Nobody hands them out here; two nodes may have the same.
func podCIDR(node string) string {
	sum := fnv.New32a()
	sum.Write([]byte(node))
	return fmt.Sprintf("10.245.%d.0/24", sum.Sum32()%256)
}
