package apiserver

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/authentication/user"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"coracle/apiserver/admission"
	"coracle/apiserver/audit"
	"coracle/apiserver/authz"
	"coracle/apiserver/catalog"
	"coracle/apiserver/decision"
	"coracle/apiserver/fieldowner"
	"coracle/apiserver/openapi"
	"coracle/apiserver/part"
	"coracle/apiserver/registry"
	"coracle/apiserver/wire"
	"coracle/authn"
	"coracle/rbac"
)

// Config is what a server is made of. All fields without a comment that says otherwise are required.
type Config struct {
	Catalog    *catalog.Catalog
	Registry   *registry.Registry
	Codec      *wire.Codec
	Authn      *authn.Chain
	Authz      Authorizer
	Admission  admission.Chain
	Tokens     Tokens
	OpenAPI    *openapi.Service
	Owners     *fieldowner.Owners
	Decisions  *decision.Log
	Gatherers  prometheus.Gatherers
	Registerer prometheus.Registerer
	Version    Version
	Log        *slog.Logger
	// Now is the clock that every time stamp and expiry is taken from.
	Now func() time.Time
	// Ready names what must hold before /readyz answers 200, with a check for each.
	Ready []Check
	// MaxBody bounds a request's body in bytes; 0 means upstream's 3 MiB.
	MaxBody int64
	// Kubelets is how nodes are spoken to; nil for not at all.
	Kubelets Kubelets
	// AuditLog is who did what, as a policy wants it kept; nil for none.
	AuditLog *audit.Log
	// MaxInFlight bounds the requests that are worked on at once.
	MaxInFlight MaxInFlight
	// SetVerbosity sets how much is logged, in klog's count (0 for little, 4 for details); nil where nobody can say.
	SetVerbosity func(v int)
	// HintClients sends the explanation of a refusal to the client as well, as a warning.
	HintClients bool
}

// Authorizer answers what users may do.
type Authorizer interface {
	// Authorize asks about the request itself: the opinions go into its decision record.
	Authorize(ctx context.Context, a *rbac.Attributes) authz.Answer
	// Ask asks about anything else.
	Ask(ctx context.Context, a *rbac.Attributes) authz.Answer
	// RulesFor lists what a user may do in a namespace, as far as that can be listed.
	RulesFor(u user.Info, namespace string) authz.Rules
}

// Check is one line of /readyz?verbose.
type Check struct {
	Name string
	Do   func(context.Context) error
}

// Server answers the Kubernetes API.
type Server struct {
	Config
	handler  http.Handler
	info     *apirequest.RequestInfoFactory
	stopping atomic.Bool
	stop     chan struct{} // closed when long-running requests are to end
	metrics  *metrics
	paths    []string
	lists    part.Lists
	// compressors are *gzip.Writer that wait for the next large answer.
	compressors sync.Pool
	// largeBodies holds one for each large body that is worked on.
	largeBodies chan struct{}
}

const defaultMaxBody = 3 << 20

// New assembles a server. It starts nothing.
func New(c Config) *Server {
	if c.MaxBody == 0 {
		c.MaxBody = defaultMaxBody
	}
	s := &Server{
		Config: c,
		info: &apirequest.RequestInfoFactory{
			APIPrefixes:          sets.NewString("api", "apis"),
			GrouplessAPIPrefixes: sets.NewString("api"),
		},
		stop:        make(chan struct{}),
		metrics:     newMetrics(c.Registerer),
		largeBodies: make(chan struct{}, largeBodies),
	}
	s.compressors.New = newCompressor
	s.handler = s.pipeline(s.routes(mux.NewRouter()))
	return s
}

// ServeHTTP takes one request through the pipeline.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Stop makes /readyz fail and ends every watch, so that a graceful shutdown does not wait for them.
func (s *Server) Stop() {
	if s.stopping.CompareAndSwap(false, true) {
		close(s.stop)
	}
}
