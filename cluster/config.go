package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"coracle/apiserver"
	"coracle/apiserver/admission"
	"coracle/apiserver/audit"
	authzconfig "coracle/apiserver/authz/config"
	"coracle/controllers/legacytokencleaner"
)

// Config is everything about a cluster that can be chosen. Where kube-apiserver, kube-controller-manager or
// kubelet has a flag for the thing, the field is named after it and means the same. The zero value of a field
// means the default that its comment names.
type Config struct {
	// DataDir holds the objects, keys, certificates, kubeconfigs and the nodes' files.
	// Default: ~/.coracle/default.
	DataDir string
	// BindAddress is the IP address to listen on. Default: 127.0.0.1.
	BindAddress string
	// SecurePort is the TCP port of the API; 0 lets the system choose.
	SecurePort int
	// Advertise are further host names and IP addresses that clients may call the server by.
	Advertise []string
	// Era is classic (the default) or modern: whether service accounts get token Secrets.
	Era string
	// Nodes is how many nodes are simulated.
	Nodes int
	// NodeCertificates says how these nodes come by their certificates: BootstrapNodes, or IssuedNodes. Default: BootstrapNodes,
	// but where bootstrap tokens are not taken.
	NodeCertificates string
	// Controllers are those that run: names, * for all, -NAME for all but one, -* for none. Default: *.
	Controllers []string
	// Hints says where explanations of refusals go besides the terminal: off (the default), or client.
	Hints string

	// Authentication says who is let in.
	Authentication
	// Authorization says what they may do. Default: what nodes need, and RBAC.
	Authorization authzconfig.Flags
	// Audit says what is written down of requests. Default: nothing.
	Audit audit.Options
	// ServiceClusterIPRange is the network of services' addresses. Default: 10.96.0.0/16.
	ServiceClusterIPRange string
	// TLS says how the API is served.
	TLS TLSPolicy
	// MaxInFlight bounds the requests that are worked on at once. Default: no bound.
	MaxInFlight apiserver.MaxInFlight

	// LegacyTokenCleanUpPeriod is for how long a token that a controller made for an account has to be out of use before it
	// is refused, and for how long again before it is deleted. Default: a year in the modern era, for ever in the classic one.
	LegacyTokenCleanUpPeriod time.Duration

	// ClusterSigningDuration is for how long certificates are good at most that signing requests ask for. Default: a year.
	ClusterSigningDuration time.Duration

	// Log takes what the server has to say. Default: slog.Default.
	Log *slog.Logger
	// SetVerbosity sets how much Log takes, in klog's count. nil: that cannot be changed while the cluster runs.
	SetVerbosity func(v int)
	// Version is Coracle's own, as in 0.1.0.
	Version string
	// Now is the clock that every time stamp and expiry is taken from. Default: time.Now.
	Now func() time.Time
}

// The defaults of Config's fields.
const (
	DefaultBindAddress = "127.0.0.1"
	DefaultSecurePort  = 6443
	DefaultIssuer      = "https://kubernetes.default.svc.cluster.local"
	DefaultServiceCIDR = "10.96.0.0/16"
	maxNodes           = 100
)

// DefaultDataDir is ~/.coracle/default.
func DefaultDataDir() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("there is no home directory to keep the cluster in; name one with --data-dir: %w", err)
	}
	return filepath.Join(home, ".coracle", "default"), nil
}

// Validate fills in defaults and reports the first thing that is wrong, in a sentence that says what to do.
func (c *Config) Validate() error {
	if c.DataDir == "" {
		dir, err := DefaultDataDir()
		if err != nil {
			return err
		}
		c.DataDir = dir
	}
	dir, err := filepath.Abs(c.DataDir)
	if err != nil {
		return fmt.Errorf("--data-dir %s: %w", c.DataDir, err)
	}
	c.DataDir = dir
	setDefault(&c.BindAddress, DefaultBindAddress)
	setDefault(&c.Era, string(admission.Classic))
	setDefault(&c.Hints, "off")
	c.Authentication.setDefaults()
	if c.Authorization.Modes == nil && c.Authorization.ConfigFile == "" {
		c.Authorization = authzconfig.DefaultFlags()
	}
	setDefault(&c.ServiceClusterIPRange, DefaultServiceCIDR)
	setDefault(&c.Version, "0.0.0-dev")
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}

	if net.ParseIP(c.BindAddress) == nil {
		return fmt.Errorf("--bind-address %q is no IP address; 127.0.0.1 listens on this machine only, 0.0.0.0 on all its addresses", c.BindAddress)
	}
	if c.SecurePort < 0 || c.SecurePort > 65535 {
		return fmt.Errorf("--secure-port %d is no TCP port; choose one from 1 to 65535, or 0 to let the system choose", c.SecurePort)
	}
	if e := admission.Era(c.Era); e != admission.Classic && e != admission.Modern {
		return fmt.Errorf("--era %q is not known; choose classic (token Secrets, as up to Kubernetes 1.23) or modern (bound tokens, as from 1.24)", c.Era)
	}
	if c.Hints != "off" && c.Hints != "client" {
		return fmt.Errorf("--hints %q is not known; choose off or client", c.Hints)
	}
	if c.Nodes < 0 || c.Nodes > maxNodes {
		return fmt.Errorf("--nodes %d is out of range; choose 0 to %d", c.Nodes, maxNodes)
	}
	switch {
	case c.NodeCertificates == "" && c.EnableBootstrapTokenAuth:
		c.NodeCertificates = BootstrapNodes
	case c.NodeCertificates == "":
		c.NodeCertificates = IssuedNodes
	case c.NodeCertificates == BootstrapNodes && !c.EnableBootstrapTokenAuth && c.Nodes > 0:
		return fmt.Errorf("--node-certificates=%s needs --enable-bootstrap-token-auth: choose %s, or let tokens be taken", BootstrapNodes, IssuedNodes)
	case c.NodeCertificates != BootstrapNodes && c.NodeCertificates != IssuedNodes:
		return fmt.Errorf("--node-certificates %q is not known; choose %s or %s", c.NodeCertificates, BootstrapNodes, IssuedNodes)
	}
	if len(c.Controllers) == 0 {
		c.Controllers = []string{"*"}
	}
	if err := validateControllers(c.Controllers); err != nil {
		return err
	}
	if c.MaxInFlight.ReadOnly < 0 {
		return fmt.Errorf("--max-requests-inflight %d is negative; choose a number of requests, or 0 for no bound", c.MaxInFlight.ReadOnly)
	}
	if c.MaxInFlight.Mutating < 0 {
		return fmt.Errorf("--max-mutating-requests-inflight %d is negative; choose a number of requests, or 0 for no bound", c.MaxInFlight.Mutating)
	}
	if c.LegacyTokenCleanUpPeriod < 0 {
		return fmt.Errorf("--legacy-service-account-token-clean-up-period %s is negative; choose a time such as 720h", c.LegacyTokenCleanUpPeriod)
	}
	if c.LegacyTokenCleanUpPeriod == 0 && c.Era == string(admission.Modern) {
		c.LegacyTokenCleanUpPeriod = legacytokencleaner.DefaultPeriod
	}
	prefix, err := netip.ParsePrefix(c.ServiceClusterIPRange)
	if err != nil || !prefix.Addr().Is4() || prefix.Bits() > 28 || prefix.Bits() < 12 {
		return fmt.Errorf("--service-cluster-ip-range %q is no IPv4 network of 16 to a million addresses, such as %s", c.ServiceClusterIPRange, DefaultServiceCIDR)
	}
	for _, name := range c.Advertise {
		if name == "" || strings.ContainsAny(name, " /:") && net.ParseIP(name) == nil {
			return fmt.Errorf("--advertise %q is neither a host name nor an IP address (and takes no port)", name)
		}
	}
	return c.Authentication.validate(c.Era)
}

func setDefault(field *string, value string) {
	if *field == "" {
		*field = value
	}
}

// unwrapPath keeps a path error's path and reason, and leaves out the system call.
func unwrapPath(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return fmt.Errorf("%s: %w", pe.Path, pe.Err)
	}
	return err
}
