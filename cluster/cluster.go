package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coracle/apiserver"
	"coracle/apiserver/admission"
	"coracle/apiserver/admission/policy"
	"coracle/apiserver/admission/webhook"
	"coracle/apiserver/catalog"
	"coracle/apiserver/customresource"
	"coracle/apiserver/decision"
	"coracle/apiserver/fieldowner"
	"coracle/apiserver/flowschema"
	"coracle/apiserver/openapi"
	"coracle/apiserver/registry"
	"coracle/apiserver/why"
	"coracle/apiserver/wire"
	"coracle/authn/pki"
	"coracle/storage"
	"coracle/storage/bolt"
	"coracle/storage/cache"
)

// Cluster is one running control plane.
type Cluster struct {
	// URL is where the API listens, such as https://127.0.0.1:6443.
	URL string
	// Kubeconfig is the path of the administrator's kubeconfig.
	Kubeconfig string
	// Decisions are the newest requests and what was decided about them.
	Decisions *decision.Log

	config      Config
	keys        *pki.PKI
	store       storage.Store
	server      *apiserver.Server
	http        *http.Server
	connections *coalescing
	parts       sync.WaitGroup // everything that runs until stop is called
	stop        context.CancelFunc
	stopped     chan struct{}
	failed      chan error         // the listener's or a part's end, if it comes unasked
	endAudit    context.CancelFunc // nil without an audit log
	stopOnce    sync.Once
	stopErr     error
}

// Start starts a cluster and returns when its API answers. It stops when ctx ends, or by Stop.
// Errors are sentences for the person who configured it.
func Start(ctx context.Context, config Config) (_ *Cluster, err error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if err := makeDataDir(config.DataDir); err != nil {
		return nil, err
	}
	c := &Cluster{config: config, stopped: make(chan struct{}), failed: make(chan error, 1)}
	var running context.Context
	running, c.stop = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			c.Stop()
		}
	}()

	// Storage first: its lock tells whether the directory is ours.
	db, err := bolt.Open(filepath.Join(config.DataDir, "coracle.db"), bolt.Options{})
	if err != nil {
		return nil, err
	}
	c.store = db
	names, ips := config.serverNames()
	serviceRange := netip.MustParsePrefix(config.ServiceClusterIPRange)
	if c.keys, err = pki.Open(filepath.Join(config.DataDir, "pki"), pki.Options{
		Now: config.Now, ServerNames: names, ServerIPs: ips, ServiceIP: serverServiceIP(serviceRange).AsSlice(),
	}); err != nil {
		return nil, err
	}
	keys := c.keys
	listener, err := listen(config)
	if err != nil {
		return nil, err
	}
	c.URL = "https://" + reachable(listener.Addr())

	// Objects: kinds, their bytes, and the cache that serves them.
	kinds := catalog.New(append(catalog.Builtin(), why.Kinds()...))
	scheme, err := wire.NewScheme()
	if err != nil {
		return nil, err
	}
	codec := wire.NewCodec(scheme)
	stored, err := cache.New(running, c.store, wire.StoredCodec{Codec: codec, New: newStored(kinds)}, cache.Options{})
	if err != nil {
		return nil, fmt.Errorf("read the objects in %s: %w", config.DataDir, err)
	}
	objects := registry.New(stored, kinds, codec)
	flowschema.Serve(kinds, objects, config.Now, config.Log)
	network := apiserver.Network{Registry: objects, Catalog: kinds, Kubelets: kubelets{keys, config.Now}}
	definitions := customresource.Serve(kinds, objects, network.DialService, config.Now, config.Log)

	// Who asks, may they, and what may be written: in the order in which a request meets them.
	who, err := authenticators(config, keys, objects, c.URL)
	if err != nil {
		return nil, err
	}
	authorizers, rules, err := authorizers(config, objects)
	if err != nil {
		return nil, err
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mutatingWebhooks, validatingWebhooks := webhook.New(webhook.Config{
		Catalog: kinds, Objects: objects, Authz: authorizers, Dial: network.DialService, Now: config.Now, Metrics: webhook.NewMetrics(metrics), Log: config.Log,
	})
	owners := fieldowner.New(scheme)
	mutatingPolicies, validatingPolicies := policy.New(policy.Config{Catalog: kinds, Objects: objects, Authz: authorizers, Types: owners, Log: config.Log})
	plugins := admission.Chain{
		admission.NamespaceLifecycle{Namespaces: objects},
		admission.LimitRanger{Ranges: objects},
		&admission.ServiceAccount{Accounts: objects, Era: admission.Era(config.Era)},
		admission.NodeRestriction{Objects: objects, Authz: authorizers},
		admission.NodeTaint{},
		admission.PodTopologyLabels{Nodes: objects},
		admission.DefaultTolerationSeconds{},
		admission.Priority{Classes: objects},
		admission.StorageProtection{},
		admission.CertificateApproval{Authz: authorizers},
		admission.CertificateSigning{Authz: authorizers},
		admission.CertificateSubjectRestriction{},
		admission.ClusterTrustBundleAttest{Authz: authorizers},
		admission.PodCertificateSigning{Authz: authorizers, Now: config.Now},
		admission.PodSecurityLabels{},
		mutatingPolicies,
		mutatingWebhooks,
		// What Kubernetes does where it stores objects: of what webhooks have made of them.
		&admission.ServiceIP{Services: objects, Range: serviceRange},
		admission.Escalation{Policy: rules, Authz: authorizers},
		validatingPolicies,
		validatingWebhooks,
		admission.ResourceQuota{Quotas: objects, Now: config.Now},
	}

	auditLog, err := c.openAudit()
	if err != nil {
		return nil, err
	}
	c.Decisions = decision.NewLog(decisionsKept)
	started := newLatch()
	c.server = apiserver.New(apiserver.Config{
		Catalog:     kinds,
		Registry:    objects,
		Codec:       codec,
		Authn:       who.chain,
		Authz:       authorizers,
		Admission:   plugins,
		Tokens:      who.tokens,
		OpenAPI:     openapi.New(kinds, apiMinor),
		Owners:      owners,
		Kubelets:    network.Kubelets,
		Decisions:   c.Decisions,
		Gatherers:   prometheus.Gatherers{metrics, auditMetrics()},
		Registerer:  metrics,
		Version:     versionInfo(config.Version),
		Log:         config.Log,
		Now:         config.Now,
		HintClients: config.Hints == "client",
		MaxInFlight: config.MaxInFlight,
		AuditLog:    auditLog,

		SetVerbosity: config.SetVerbosity,
		Ready:        []apiserver.Check{{Name: "poststarthook/bootstrap", Do: started.check}},
	})
	serving := keys.ServerTLS()
	if err := config.TLS.apply(serving, func(flag string, pair *servedPair) { who.watch(flag, pair) }); err != nil {
		return nil, err
	}
	c.http = &http.Server{
		Handler:           c.server,
		TLSConfig:         who.acceptable(serving),
		ReadHeaderTimeout: 30 * time.Second,
		IdleTimeout:       90 * time.Second,
		MaxHeaderBytes:    1 << 20,
		HTTP2:             apiserver.HTTP2(),
		ErrorLog:          quietLog(config.Log),
	}
	c.connections = coalesce(listener)
	c.parts.Go(func() { c.serve(c.connections) })
	c.parts.Go(func() { c.narrate(running, started) })
	c.run(running, "compactor", compactor{store: c.store, log: config.Log})

	// Everything that talks to the server does so under a name of its own.
	parts := &credentials{keys: keys, url: c.URL, log: config.Log}
	identities, err := writeKubeconfigs(config, parts)
	if err != nil {
		return nil, err
	}
	c.Kubeconfig = identities.adminPath
	clients := clientFactory{handler: c.server, url: c.URL, now: config.Now}
	own, err := c.ownClient(clients, parts)
	if err != nil {
		return nil, err
	}
	publisher := &publisher{trust: who.trust, client: own, have: objects, log: config.Log}
	if err := c.begin(running, kinds, objects, func(ctx context.Context) error {
		return c.bootstrap(ctx, own, objects, publisher, who.used, serviceRange, endpoint(listener.Addr()))
	}); err != nil {
		return nil, err
	}
	c.parts.Go(func() { authorizers.Run(running, config.Log) })
	c.run(running, "custom resources", &customresource.Cleaner{Definitions: definitions, Store: objects, Client: own.CoreV1().RESTClient()})
	c.run(running, "flow schemas", &flowschema.Keeper{Objects: objects, Client: own.CoreV1().RESTClient(), Now: config.Now, Log: config.Log})
	if err := c.startControllers(running, clients, identities, who.tokens, func(ctx context.Context) error { return c.publishInfo(ctx, own, objects) }); err != nil {
		return nil, err
	}
	if err := c.startNodes(running, clients, own, objects); err != nil {
		return nil, err
	}
	who.watch("--data-dir", parts)
	c.startAuthentication(running, who, own, publisher)
	started.open()
	go func() {
		select {
		case <-ctx.Done():
			c.Stop()
		case <-c.stopped:
		}
	}()
	return c, nil
}

// apiMinor is the Kubernetes version whose behaviour is simulated.
const (
	apiMinor      = "1.37"
	apiVersion    = "v1.37.2"
	decisionsKept = 4096
)

func newStored(kinds *catalog.Catalog) func(schema.GroupResource) runtime.Object {
	return func(gr schema.GroupResource) runtime.Object {
		if k := kinds.Stored(gr); k != nil {
			return k.New()
		}
		return nil
	}
}

// serve answers until the cluster is stopped.
func (c *Cluster) serve(l net.Listener) {
	err := c.http.ServeTLS(l, "", "")
	if !errors.Is(err, http.ErrServerClosed) {
		c.fail(fmt.Errorf("the API stopped listening: %w", err))
	}
}

func (c *Cluster) fail(err error) {
	select {
	case c.failed <- err:
	default:
	}
}

// Wait returns when the cluster has stopped: nil when it was asked to, else why.
func (c *Cluster) Wait() error {
	select {
	case err := <-c.failed:
		c.Stop()
		return err
	case <-c.stopped:
		return c.stopErr
	}
}

// Stop ends everything and returns when it has ended. All acknowledged writes are on disk.
func (c *Cluster) Stop() error {
	c.stopOnce.Do(func() {
		defer close(c.stopped)
		if c.server != nil {
			c.server.Stop() // ends watches
		}
		c.stop()
		if c.http != nil {
			ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
			defer cancel()
			if c.http.Shutdown(ctx) != nil {
				c.http.Close()
			}
			c.connections.wait(ctx)
		}
		if c.endAudit != nil {
			c.endAudit() // what requests under way had to say has been said
		}
		c.parts.Wait()
		if c.store != nil {
			c.stopErr = c.store.Close()
		}
	})
	<-c.stopped
	return c.stopErr
}

// stopPatience is how long requests under way may take when the cluster is stopped.
const stopPatience = 2 * time.Second

// makeDataDir makes the directory, for its owner alone.
func makeDataDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("the data directory %s cannot be made: %w; choose another with --data-dir", dir, unwrapPath(err))
	}
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		return fmt.Errorf("%s is no directory; choose another with --data-dir", dir)
	}
	probe, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return fmt.Errorf("the data directory %s cannot be written to: %w; choose another with --data-dir", dir, unwrapPath(err))
	}
	probe.Close()
	return os.Remove(probe.Name())
}

func listen(config Config) (net.Listener, error) {
	address := net.JoinHostPort(config.BindAddress, fmt.Sprint(config.SecurePort))
	l, err := net.Listen("tcp", address)
	if err != nil {
		if strings.Contains(err.Error(), "address already in use") {
			return nil, fmt.Errorf("port %d on %s is taken by another program; choose another with --secure-port (0 lets the system choose)", config.SecurePort, config.BindAddress)
		}
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	return l, nil
}

// reachable is the address that clients on this machine can use.
func reachable(a net.Addr) string {
	host, port, _ := net.SplitHostPort(a.String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

func endpoint(a net.Addr) netip.AddrPort {
	ap, err := netip.ParseAddrPort(reachable(a))
	if err != nil {
		return netip.AddrPort{}
	}
	return ap
}
