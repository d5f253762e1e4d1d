package kubeletsim

import (
	"context"
	"log/slog"
	"time"

	"k8s.io/client-go/kubernetes"
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
	// Port is where the kubelet's own API listens, as the Node object tells it. 0: it has none.
	Port int32
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

// Kubelet is one simulated node. Make it with New; run it once.
type Kubelet struct {
	config Config
}

// New makes a node. It touches neither disk nor network; Run reports what is wrong with the config.
func New(config Config) *Kubelet {
	return &Kubelet{config: config}
}

// Run registers the node and runs its pods until ctx ends. It returns nil when ctx ended, and an error when
// the config or the data directory cannot be used; an API server that is away is waited for.
// Everything is left in place at the end: the next Run with the same Config continues.
func (k *Kubelet) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}
