package oidc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"
	authenticationcel "k8s.io/apiserver/pkg/authentication/cel"
)

// Issuers is a set of issuers, and how each one's tokens are read. It never changes.
type Issuers struct {
	by    map[string]*issuer // by URL
	names []string
}

// issuer is one that is configured.
type issuer struct {
	url        string
	audiences  []string
	algorithms []string
	config     apiserver.JWTAuthenticator
	mapper     authenticationcel.CELMapper
	source     *source
	client     *http.Client
	now        func() time.Time

	mu     sync.Mutex         // guards others
	others map[string]*source // issuers of distributed claims, by URL
}

// Options are what Compile needs beside the configuration.
type Options struct {
	// Algorithms are those in which tokens may be signed. Empty: all that are asymmetric.
	Algorithms []string
	// ServiceAccountIssuers cannot be configured: their tokens are judged elsewhere.
	ServiceAccountIssuers []string
	Now                   func() time.Time
	// Transport is used instead of one of our own, in tests. It does not see certificateAuthority.
	Transport http.RoundTripper
}

// Algorithms are those that can be allowed: all asymmetric ones of RFC 7518.
func Algorithms() []string {
	return []string{"ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"}
}

// fetchTimeout bounds one request to an issuer.
const fetchTimeout = 30 * time.Second

// Compile checks a configuration and makes the issuers of it. Errors are Kubernetes' own. From the previous issuers, which may be
// nil, it takes over the keys of those that are still reached in the same way.
func Compile(config *apiserver.AuthenticationConfiguration, o Options, previous *Issuers) (*Issuers, error) {
	if len(o.Algorithms) == 0 {
		o.Algorithms = Algorithms()
	}
	for _, alg := range o.Algorithms {
		if !slices.Contains(Algorithms(), alg) {
			return nil, fmt.Errorf("oidc: unsupported signing alg: %q", alg)
		}
	}
	compiler := newCompiler()
	if err := validation.ValidateAuthenticationConfiguration(compiler, config, o.ServiceAccountIssuers).ToAggregate(); err != nil {
		return nil, err
	}
	s := &Issuers{by: map[string]*issuer{}}
	for _, j := range config.JWT {
		mapper, errs := validation.CompileAndValidateJWTAuthenticator(compiler, j, o.ServiceAccountIssuers)
		if err := errs.ToAggregate(); err != nil {
			return nil, err
		}
		i := &issuer{
			url: j.Issuer.URL, audiences: j.Issuer.Audiences, algorithms: o.Algorithms,
			config: j, mapper: mapper, now: o.Now, others: map[string]*source{},
		}
		var err error
		if i.client, err = newClient(j.Issuer.CertificateAuthority, o); err != nil {
			return nil, err
		}
		i.source = newSource(i.url, j.Issuer.DiscoveryURL, i.client, o.Now)
		if previous != nil {
			if old := previous.by[i.url]; old != nil && old.config.Issuer.DiscoveryURL == j.Issuer.DiscoveryURL && old.config.Issuer.CertificateAuthority == j.Issuer.CertificateAuthority {
				i.source, i.client = old.source, old.client
			}
		}
		s.by[i.url] = i
	}
	s.names = slices.Sorted(maps.Keys(s.by))
	return s, nil
}

// Reach fetches the keys of all issuers whose keys are not known yet. Call it before putting changed issuers in place of ones that
// work.
func (s *Issuers) Reach(ctx context.Context) error {
	errs := make([]error, len(s.names))
	var wg sync.WaitGroup
	for n, name := range s.names {
		wg.Go(func() {
			if i := s.by[name]; i.source.current() == nil {
				if _, err := i.source.refresh(ctx); err != nil {
					errs[n] = fmt.Errorf("oidc: authenticator for issuer %q is not healthy: %w", name, err)
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// newClient makes a client for one issuer, which trusts the system's authorities, or those given in PEM and no others.
func newClient(authorities string, o Options) (*http.Client, error) {
	transport := o.Transport
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, Time: o.Now}
		if authorities != "" {
			t.TLSClientConfig.RootCAs = x509.NewCertPool()
			if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM([]byte(authorities)) {
				return nil, errors.New("oidc: there is no certificate in certificateAuthority")
			}
		}
		transport = t
	}
	return &http.Client{Transport: transport, Timeout: fetchTimeout}, nil
}

// compiler compiles CEL expressions. Its environment takes a while to build, and few configurations need one.
type compiler func() authenticationcel.Compiler

func newCompiler() compiler { return sync.OnceValue(authenticationcel.NewDefaultCompiler) }

func (c compiler) CompileClaimsExpression(e authenticationcel.ExpressionAccessor) (authenticationcel.CompilationResult, error) {
	return c().CompileClaimsExpression(e)
}

func (c compiler) CompileUserExpression(e authenticationcel.ExpressionAccessor) (authenticationcel.CompilationResult, error) {
	return c().CompileUserExpression(e)
}
