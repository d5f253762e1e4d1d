package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"

	"coracle/apiserver/admission"
	"coracle/apiserver/registry"
	"coracle/authn"
	"coracle/authn/oidc"
	"coracle/authn/pki"
	"coracle/authn/remote"
	"coracle/authn/token"
	"coracle/authn/webhook"
)

// authentication is the chain of authenticators, and what has to run beside it.
type authentication struct {
	chain  *authn.Chain
	tokens *tokens
	// files are those that are read again when they change.
	files []watchedFile
	// used takes the legacy tokens that were used for the first time on a day.
	used *lastUsed
	// trust is what is published of it all, for other servers.
	trust trust
}

// watchedFile is a file that is read again when it changes, and the flag that named it.
type watchedFile struct {
	authn.Reloader
	flag string
}

// authenticators are the strategies in the order in which they are asked, kube-apiserver's: what the connection says
// first, then tokens, and of these first what can be told without asking another server.
func authenticators(config Config, keys *pki.PKI, objects *registry.Registry, serverURL string) (*authentication, error) {
	a := &authentication{used: newLastUsed(config, objects)}
	s := authn.Strategies{Audiences: config.APIAudiences}

	proxy, x509Client, err := a.certificates(config, keys)
	if err != nil {
		return nil, err
	}
	s.Requests = []authn.Authenticator{proxy, x509Client}
	if config.BasicAuthFile != "" {
		file, err := authn.NewBasicFile(config.BasicAuthFile)
		if err != nil {
			return nil, fmt.Errorf("--basic-auth-file: %w", err)
		}
		a.watch("--basic-auth-file", file)
		config.Log.Warn("--basic-auth-file lets people in by passwords, which Kubernetes gave up in 1.19: they go along with each request, and are taken back by editing the file alone")
		s.Requests = append(s.Requests, file)
	}

	if config.TokenAuthFile != "" {
		file, err := authn.NewTokenFile(config.TokenAuthFile)
		if err != nil {
			return nil, fmt.Errorf("--token-auth-file: %w", err)
		}
		a.watch("--token-auth-file", file)
		for _, text := range file.Warnings() {
			config.Log.Warn("--token-auth-file " + config.TokenAuthFile + ": " + text)
		}
		s.Tokens = append(s.Tokens, file)
	}
	accounts, err := a.serviceAccounts(config, keys, objects, serverURL)
	if err != nil {
		return nil, err
	}
	s.Tokens = append(s.Tokens, accounts, authn.NewBootstrap(objects, config.Now))
	idTokens, anonymous, err := a.openID(config)
	if err != nil {
		return nil, err
	}
	if idTokens != nil {
		s.Tokens = append(s.Tokens, idTokens)
	}
	if config.TokenWebhook.ConfigFile != "" {
		service, err := askService(config)
		if err != nil {
			return nil, fmt.Errorf("--authentication-token-webhook-config-file: %w", err)
		}
		s.Tokens = append(s.Tokens, service)
	}
	s.Anonymous = anonymous.Authenticator

	// What needs no configuration is there even when it is off: decisions then say so, and it can be switched on.
	a.chain = authn.NewChain(s)
	return a, errors.Join(
		a.chain.Switch("bootstrap", config.EnableBootstrapTokenAuth),
		a.chain.Switch("anonymous", anonymous.on))
}

// certificates are the two ways to come by a client certificate: as an authenticating proxy that speaks for others,
// and as oneself.
func (a *authentication) certificates(config Config, keys *pki.PKI) (*authn.RequestHeader, *authn.X509, error) {
	clients := []func() []*x509.Certificate{trusted(keys.Authority)}
	if config.ClientCAFile != "" {
		file, err := authn.NewCAFile(config.ClientCAFile)
		if err != nil {
			return nil, nil, fmt.Errorf("--client-ca-file: %w", err)
		}
		a.watch("--client-ca-file", file)
		clients = append(clients, file.Get)
	}
	h := config.RequestHeader
	proxies := trusted(keys.FrontProxy)
	if h.ClientCAFile != "" {
		file, err := authn.NewCAFile(h.ClientCAFile)
		if err != nil {
			return nil, nil, fmt.Errorf("--requestheader-client-ca-file: %w", err)
		}
		a.watch("--requestheader-client-ca-file", file)
		proxies = file.Get
	}
	if len(h.AllowedNames) == 0 && overlap(proxies(), clients) {
		return nil, nil, errors.New("--requestheader-client-ca-file has an authority that signs clients' certificates too; name the proxies with --requestheader-allowed-names, or every client could say to be anybody")
	}
	proxy, err := authn.NewRequestHeader(authn.RequestHeaderOptions{
		Roots:        authn.NewRoots(proxies).Pool,
		AllowedNames: h.AllowedNames,
		UserHeaders:  h.UsernameHeaders, UIDHeaders: h.UIDHeaders, GroupHeaders: h.GroupHeaders,
		ExtraPrefixes: h.ExtraHeaderPrefixes,
		Now:           config.Now,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("--requestheader: %w", err)
	}
	a.trust = trust{clients: clients, proxies: proxies, headers: h}
	return proxy, authn.NewX509(authn.NewRoots(append(slices.Clip(clients), trusted(keys.Loopback))...).Pool, config.Now), nil
}

// acceptable makes the server name, in the handshake, all authorities whose certificates it has a use for: clients that
// have several choose by that, and some present none that was not asked for.
func (a *authentication) acceptable(config *tls.Config) *tls.Config {
	roots := authn.NewRoots(append(slices.Clip(a.trust.clients), a.trust.proxies)...)
	present := config.Clone()
	present.ClientCAs = roots.Pool()
	var current atomic.Pointer[tls.Config] // a clone would do, but session tickets live as long as their configuration
	current.Store(present)
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		c := current.Load()
		if pool := roots.Pool(); pool != c.ClientCAs {
			c = c.Clone()
			c.ClientCAs = pool
			current.Store(c)
		}
		return c, nil
	}
	return config
}

// trusted is the source of what is trusted of an authority, which changes when it is replaced.
func trusted(of func() *pki.Authority) func() []*x509.Certificate {
	return func() []*x509.Certificate { return of().Trusted() }
}

func overlap(a []*x509.Certificate, sources []func() []*x509.Certificate) bool {
	for _, source := range sources {
		for _, c := range source() {
			for _, d := range a {
				if c.Equal(d) {
					return true
				}
			}
		}
	}
	return false
}

// serviceAccounts verifies and issues the tokens of service accounts.
func (a *authentication) serviceAccounts(config Config, keys *pki.PKI, objects *registry.Registry, serverURL string) (*authn.ServiceAccount, error) {
	accountKeys, err := a.accountKeys(config, keys)
	if err != nil {
		return nil, err
	}
	issuer := &token.Issuer{
		URL: config.ServiceAccountIssuers[0], Keys: accountKeys, JWKSURI: config.ServiceAccountJWKSURI,
	}
	if issuer.JWKSURI == "" {
		issuer.JWKSURI = serverURL + token.JWKSPath
	}
	a.tokens = &tokens{
		issuer: issuer, audiences: config.APIAudiences,
		minLifetime: config.ServiceAccountMinTokenExpiration, maxLifetime: config.ServiceAccountMaxTokenExpiration, extended: *config.ServiceAccountExtendTokenExpiration,
	}
	if !*config.ServiceAccountLookup {
		config.Log.Warn("--service-account-lookup=false: tokens that are kept in Secrets stay good when the Secret, or the account, is deleted")
	}
	return authn.NewServiceAccount(authn.ServiceAccountOptions{
		Keys:      accountKeys,
		Issuers:   config.ServiceAccountIssuers,
		Audiences: config.APIAudiences,
		Lookup:    objects,

		NoLegacyLookup: !*config.ServiceAccountLookup,

		Now:        config.Now,
		Used:       a.used.note,
		WarnLegacy: config.Era == string(admission.Modern),
	}), nil
}

// anonymous is the strategy, and whether it is on.
type anonymous struct {
	authn.Authenticator
	on bool
}

// openID is the strategy for ID tokens, nil for none, and what the same file may say of anonymous requests.
func (a *authentication) openID(config Config) (authn.Authenticator, anonymous, error) {
	nobody := anonymous{authn.NewAnonymous(), config.AnonymousAuth == nil || *config.AnonymousAuth}
	options := oidc.Options{ServiceAccountIssuers: config.ServiceAccountIssuers, Now: config.Now}
	if path := config.AuthenticationConfig; path != "" {
		file, err := oidc.OpenFile(path, options)
		if err != nil {
			return nil, nobody, fmt.Errorf("--authentication-config: %w", err)
		}
		a.watch("--authentication-config", file)
		if said := file.Anonymous; said != nil {
			if config.AnonymousAuth != nil {
				return nil, nobody, fmt.Errorf("--anonymous-auth cannot be set when %s says something about anonymous requests; leave one of them out", path)
			}
			var paths []string
			for _, c := range said.Conditions {
				paths = append(paths, c.Path)
			}
			nobody = anonymous{authn.NewAnonymous(paths...), said.Enabled}
		}
		return file, nobody, nil
	}
	if config.OIDC == nil {
		return nil, nobody, nil
	}
	flags := config.OIDC.Flags
	if path := config.OIDC.CAFile; path != "" {
		var err error
		if flags.CA, err = os.ReadFile(path); err != nil {
			return nil, nobody, fmt.Errorf("--oidc-ca-file cannot be read: %w", unwrapPath(err))
		}
	}
	said, err := flags.Configuration()
	if err != nil {
		return nil, nobody, err
	}
	if options.Algorithms = config.OIDC.SigningAlgorithms; len(options.Algorithms) == 0 {
		options.Algorithms = []string{"RS256"}
	}
	issuers, err := oidc.Compile(said, options, nil)
	if err != nil {
		return nil, nobody, fmt.Errorf("the --oidc-* flags do not make sense: %w", err)
	}
	return oidc.New(issuers, config.Now), nobody, nil
}

func askService(config Config) (*webhook.Authenticator, error) {
	client, err := remote.Read(config.TokenWebhook.ConfigFile)
	if err != nil {
		return nil, err
	}
	return webhook.New(webhook.Config{
		Client: client, Version: config.TokenWebhook.Version, TTL: config.TokenWebhook.CacheTTL,
		Audiences: config.APIAudiences, Now: config.Now,
	})
}

func (a *authentication) watch(flag string, r authn.Reloader) {
	a.files = append(a.files, watchedFile{r, flag})
}
