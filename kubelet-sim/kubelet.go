package kubeletsim

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	"coracle/kubelet-sim/objects"
	"coracle/kubelet-sim/podcertificate"
	"coracle/kubelet-sim/server"
	"coracle/kubelet-sim/volume"
)

// Config says which node to be. NodeName, Client and Dir are required.
type Config struct {
	// NodeName is the name of the Node object and part of the identity system:node:NAME.
	NodeName string
	// Client speaks to the API server with that identity.
	Client kubernetes.Interface
	// Dir is the data directory. Everything that the kubelet writes stays inside it.
	Dir string

	// NodeIP is the node's address and the hostIP of its pods. Empty means 127.0.0.1.
	NodeIP string
	// PodCIDR is where pods get their addresses from. Empty means 10.244.0.0/24.
	PodCIDR string
	// Listener is where the kubelet's own API listens. nil: it has none. Run closes it.
	Listener net.Listener
	// Certificate is the one that it is served with now; required with Listener, as is ClientCAs.
	Certificate func() (*tls.Certificate, error)
	// ClientCAs are the authorities whose client certificates it takes now.
	ClientCAs func() *x509.CertPool
	// APIServer is the HOST:PORT that containers reach as kubernetes.default.svc. Empty: they reach nothing.
	APIServer string
	// Version is the kubelet version that the node reports. Empty means v1.37.2.
	Version string
	// Labels are put on the Node besides the kubelet's own.
	Labels map[string]string

	// Runtime runs the containers' processes. nil means Simulated.
	Runtime Runtime
	// Log receives what a kubelet would log. nil means nowhere.
	Log *slog.Logger
	// Now tells the time. nil means time.Now.
	Now func() time.Time
}

// Kubelet is one simulated node. Make it with New.
type Kubelet struct {
	config Config
}

// New makes a node. It touches neither disk nor network; Run reports what is wrong with the config.
func New(config Config) *Kubelet {
	return &Kubelet{config: config.withDefaults()}
}

func (c Config) withDefaults() Config {
	if c.NodeIP == "" {
		c.NodeIP = "127.0.0.1"
	}
	if c.PodCIDR == "" {
		c.PodCIDR = "10.244.0.0/24"
	}
	if c.Version == "" {
		c.Version = "v1.37.2"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Runtime == nil {
		c.Runtime = Simulated{Now: c.Now}
	}
	return c
}

// Run registers the node and runs its pods until ctx ends. It returns nil when ctx ended, and an error when
// the config or the data directory cannot be used; an API server that is away is waited for.
// Everything is left in place at the end: the next Run with the same Config continues.
// Only one Run per node and data directory may be under way.
func (k *Kubelet) Run(ctx context.Context) error {
	n, err := newNode(k.config)
	if err != nil {
		return fmt.Errorf("kubelet of node %q: %w", k.config.NodeName, err)
	}
	defer n.disk.Close()
	// What client-go logs goes where the rest does.
	ctx = klog.NewContext(ctx, logr.FromSlogHandler(n.log.Handler()))

	var running sync.WaitGroup
	running.Go(func() { n.events.run(ctx) })
	if l := n.config.Listener; l != nil {
		api := server.New(server.Config{
			Node: n.config.NodeName, Host: n, Client: n.client, Certificate: n.config.Certificate, ClientCAs: n.config.ClientCAs, Now: n.now, Log: n.log,
		})
		running.Go(func() {
			if err := api.Serve(ctx, l); err != nil {
				n.log.Error("logs and commands are not to be had", "err", err)
			}
		})
	}
	running.Go(func() {
		registered, err := n.register(ctx)
		if err != nil {
			return // ctx ended
		}
		n.announce(registered)
		running.Go(func() { n.heartbeat(ctx, n.now()) })
		running.Go(func() { n.renewLease(ctx, registered) })
		running.Go(func() { n.watchPods(ctx) })
	})
	running.Wait()
	n.workers.wait()
	n.objects.Wait()
	n.certificates.Wait()
	return nil
}

// node is a Kubelet while it runs.
type node struct {
	config       Config
	client       kubernetes.Interface
	log          *slog.Logger
	now          func() time.Time
	disk         *volume.Disk
	events       *events
	objects      *objects.Store
	tokens       *tokens
	certificates *podcertificate.Manager
	addresses    *addresses
	images       *images
	workers      *workers
	processes    *processes
}

func newNode(config Config) (*node, error) {
	if config.Client == nil {
		return nil, fmt.Errorf("no client")
	}
	if config.Dir == "" {
		return nil, fmt.Errorf("no data directory")
	}
	if config.Listener != nil && (config.Certificate == nil || config.ClientCAs == nil) {
		return nil, fmt.Errorf("a listener without a certificate, or without authorities for clients")
	}
	if _, err := netip.ParseAddr(config.NodeIP); err != nil {
		return nil, fmt.Errorf("node IP: %w", err)
	}
	addresses, err := newAddresses(config.PodCIDR)
	if err != nil {
		return nil, err
	}
	disk, err := volume.OpenDisk(config.Dir, config.NodeName)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	log := config.Log.With("node", config.NodeName)
	n := &node{
		config: config, client: config.Client, log: log, now: config.Now, disk: disk,
		events:    newEvents(config.Client, config.NodeName, config.Now, log),
		tokens:    newTokens(config.Client, config.Now, log),
		addresses: addresses,
		images:    newImages(),
		workers:   newWorkers(),
		processes: newProcesses(),
	}
	n.objects = objects.New(config.Client, log, n.workers.wake)
	n.certificates = podcertificate.New(podcertificate.Config{
		NodeName: config.NodeName, Client: config.Client, Now: config.Now, Log: log, Notify: n.workers.wake,
		Event: func(pod *corev1.Pod, kind, reason, message string) { n.events.pod(pod, "", kind, reason, message) },
	})
	return n, nil
}

// announce records what a starting kubelet records about its node.
func (n *node) announce(registered *corev1.Node) {
	n.events.self(registered.UID, corev1.EventTypeNormal, "Starting", "Starting kubelet.")
	for _, reason := range []string{"NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID", "NodeReady"} {
		n.events.self(registered.UID, corev1.EventTypeNormal, reason, fmt.Sprintf("Node %s status is now: %s", n.config.NodeName, reason))
	}
}

// sources is what volumes and environments are made from.
type sources struct {
	*objects.Store
	*tokens
	*podcertificate.Manager
}

// sources are this node's.
func (n *node) sources() sources { return sources{n.objects, n.tokens, n.certificates} }

// forget drops all that the node holds for a pod, but its files.
func (n *node) forget(pod types.UID) {
	n.objects.Unregister(pod)
	n.tokens.forget(pod)
	n.certificates.Forget(pod)
	n.addresses.release(pod)
}
