package cluster

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"coracle/apiserver/admission"
	"coracle/authn/oidc"
	"coracle/authn/webhook"
)

// Authentication says who is let in, and by which ways. The fields are named after kube-apiserver's flags.
type Authentication struct {
	// AnonymousAuth lets requests without credentials in as system:anonymous. Nil leaves it to the
	// AuthenticationConfig; if that says nothing either, they are let in.
	AnonymousAuth *bool
	// ClientCAFile holds further authorities whose client certificates are trusted. Default: none.
	ClientCAFile string
	// TokenAuthFile is a CSV file of tokens, users and groups. Default: none.
	TokenAuthFile string
	// BasicAuthFile is a CSV file of passwords, users and groups. Classic era only. Default: none.
	BasicAuthFile string
	// EnableBootstrapTokenAuth lets nodes introduce themselves with bootstrap tokens.
	EnableBootstrapTokenAuth bool
	// ServiceAccountIssuers are the `iss` of service-account tokens: the first is that of new tokens, all are taken.
	// Default: https://kubernetes.default.svc.cluster.local.
	ServiceAccountIssuers []string
	// ServiceAccountSigningKeyFile holds the private key that signs service-account tokens. Default: DATA-DIR/pki/sa.key,
	// by which tokens are verified in any case.
	ServiceAccountSigningKeyFile string
	// ServiceAccountKeyFiles hold further keys that service-account tokens may be signed by. Default: none.
	ServiceAccountKeyFiles []string
	// ServiceAccountJWKSURI is where relying parties are told to fetch the keys. Default: from this server.
	ServiceAccountJWKSURI string
	// ServiceAccountMinTokenExpiration is how long tokens that are asked for have to live at least. Default: 10 minutes, as in
	// Kubernetes, which has no such setting; with less of it people see how a token ends.
	ServiceAccountMinTokenExpiration time.Duration
	// ServiceAccountMaxTokenExpiration is how long tokens that are asked for live at most. Default: as long as is asked.
	ServiceAccountMaxTokenExpiration time.Duration
	// ServiceAccountExtendTokenExpiration makes the tokens that pods get of their own accord live a year. Nil means true.
	ServiceAccountExtendTokenExpiration *bool
	// ServiceAccountLookup looks, for each use of a legacy token, whether its Secret and account are there still. Nil means true.
	ServiceAccountLookup *bool
	// APIAudiences are the audiences that the server takes tokens for. Default: the issuers.
	APIAudiences []string
	// RequestHeader says which proxies are believed, and on what.
	RequestHeader RequestHeader
	// TokenWebhook is a service that is asked whose a token is. Default: none.
	TokenWebhook TokenWebhook
	// OIDC is an OpenID Connect issuer whose ID tokens are taken. Default: none.
	OIDC *OIDC
	// AuthenticationConfig is a file with Kubernetes' AuthenticationConfiguration, in place of OIDC. Default: none.
	AuthenticationConfig string
}

// RequestHeader is what kube-apiserver's --requestheader-* flags say. Nil lists mean kubeadm's; empty ones are empty.
type RequestHeader struct {
	// ClientCAFile holds the authorities of authenticating proxies. Default: the cluster's own front-proxy authority.
	ClientCAFile string
	// AllowedNames are common names of proxies' certificates; an empty list allows any.
	AllowedNames        []string
	UsernameHeaders     []string
	UIDHeaders          []string
	GroupHeaders        []string
	ExtraHeaderPrefixes []string
}

// TokenWebhook is what kube-apiserver's --authentication-token-webhook-* flags say.
type TokenWebhook struct {
	// ConfigFile is in kubeconfig's format. Empty: nobody is asked.
	ConfigFile string
	// Version is that of the TokenReview: v1, or v1beta1, which is the default as in kube-apiserver.
	Version string
	// CacheTTL is how long answers are remembered; 0 is not at all.
	CacheTTL time.Duration
}

// OIDC is what kube-apiserver's --oidc-* flags say.
type OIDC struct {
	oidc.Flags
	// CAFile holds the authorities of the issuer's server. Default: the system's.
	CAFile string
	// SigningAlgorithms are those in which tokens may be signed. Default: RS256.
	SigningAlgorithms []string
}

// DefaultAuthentication is what holds when nothing is said.
func DefaultAuthentication() Authentication {
	return Authentication{
		EnableBootstrapTokenAuth: true,
		ServiceAccountIssuers:    []string{DefaultIssuer},
		ServiceAccountLookup:     new(true),

		ServiceAccountExtendTokenExpiration: new(true),
		ServiceAccountMinTokenExpiration:    10 * time.Minute,
		RequestHeader: RequestHeader{
			AllowedNames:        []string{"front-proxy-client"},
			UsernameHeaders:     []string{"X-Remote-User"},
			UIDHeaders:          []string{"X-Remote-Uid"},
			GroupHeaders:        []string{"X-Remote-Group"},
			ExtraHeaderPrefixes: []string{"X-Remote-Extra-"},
		},
		TokenWebhook: TokenWebhook{Version: "v1beta1", CacheTTL: webhook.DefaultTTL},
	}
}

// setDefaults fills in what was not said.
func (a *Authentication) setDefaults() {
	d := DefaultAuthentication()
	if len(a.ServiceAccountIssuers) == 0 {
		a.ServiceAccountIssuers = d.ServiceAccountIssuers
	}
	if a.ServiceAccountLookup == nil {
		a.ServiceAccountLookup = d.ServiceAccountLookup
	}
	if a.ServiceAccountExtendTokenExpiration == nil {
		a.ServiceAccountExtendTokenExpiration = d.ServiceAccountExtendTokenExpiration
	}
	if len(a.APIAudiences) == 0 {
		a.APIAudiences = a.ServiceAccountIssuers
	}
	h, dh := &a.RequestHeader, d.RequestHeader
	setDefaults(&h.AllowedNames, dh.AllowedNames)
	setDefaults(&h.UsernameHeaders, dh.UsernameHeaders)
	setDefaults(&h.UIDHeaders, dh.UIDHeaders)
	setDefaults(&h.GroupHeaders, dh.GroupHeaders)
	setDefaults(&h.ExtraHeaderPrefixes, dh.ExtraHeaderPrefixes)
	setDefault(&a.TokenWebhook.Version, d.TokenWebhook.Version)
	if a.ServiceAccountMinTokenExpiration == 0 {
		a.ServiceAccountMinTokenExpiration = d.ServiceAccountMinTokenExpiration
	}
}

func setDefaults(field *[]string, values []string) {
	if *field == nil {
		*field = values
	}
}

// validate reports the first thing that is wrong without reading any file's content.
func (a *Authentication) validate(era string) error {
	for i, issuer := range a.ServiceAccountIssuers {
		switch {
		case issuer == "":
			return errors.New("--service-account-issuer should not be an empty string")
		case slices.Contains(a.ServiceAccountIssuers[:i], issuer):
			return fmt.Errorf("--service-account-issuer %q is already specified", issuer)
		case strings.Contains(issuer, ":"):
			if _, err := url.Parse(issuer); err != nil {
				return fmt.Errorf("--service-account-issuer %q contained a ':' but was not a valid URL: %w", issuer, err)
			}
		}
	}
	if u, err := url.Parse(a.ServiceAccountJWKSURI); err != nil {
		return fmt.Errorf("--service-account-jwks-uri must be a valid URL: %w", err)
	} else if a.ServiceAccountJWKSURI != "" && u.Scheme != "https" {
		return fmt.Errorf("--service-account-jwks-uri requires https scheme, parsed as: %s", u)
	}
	if d := a.ServiceAccountMinTokenExpiration; d < time.Second || d > 10*time.Minute {
		return fmt.Errorf("--service-account-min-token-expiration %s is not between 1s and 10m", d)
	}
	if d := a.ServiceAccountMaxTokenExpiration; d != 0 && (d < time.Hour || d > 1<<32*time.Second) {
		return errors.New("the service-account-max-token-expiration must be between 1 hour and 2^32 seconds")
	}
	if a.BasicAuthFile != "" && era == string(admission.Modern) {
		return errors.New("--basic-auth-file is of the classic era: Kubernetes has no passwords since 1.19; leave it out, or choose --era=classic")
	}
	if a.TokenWebhook.CacheTTL < 0 {
		return fmt.Errorf("--authentication-token-webhook-cache-ttl %s is negative; 0 remembers nothing", a.TokenWebhook.CacheTTL)
	}
	if a.OIDC != nil {
		switch {
		case a.AuthenticationConfig != "":
			return errors.New("--authentication-config and the --oidc-* flags exclude each other; say it all in the file")
		case a.OIDC.IssuerURL == "" || a.OIDC.ClientID == "":
			return errors.New("--oidc-issuer-url and --oidc-client-id must be specified together when any --oidc-* flag is set")
		}
		for _, alg := range a.OIDC.SigningAlgorithms {
			if !slices.Contains(oidc.Algorithms(), alg) {
				return fmt.Errorf("--oidc-signing-algs: %q is not known; choose from %s", alg, strings.Join(oidc.Algorithms(), ", "))
			}
		}
	}
	if err := a.RequestHeader.validate(); err != nil {
		return err
	}
	for _, f := range a.files() {
		if f.path == "" {
			continue
		}
		if _, err := os.Stat(f.path); err != nil {
			return fmt.Errorf("%s cannot be read: %w", f.flag, unwrapPath(err))
		}
	}
	return nil
}

type flagFile struct{ flag, path string }

func (a *Authentication) files() []flagFile {
	files := []flagFile{
		{"--client-ca-file", a.ClientCAFile},
		{"--requestheader-client-ca-file", a.RequestHeader.ClientCAFile},
		{"--token-auth-file", a.TokenAuthFile},
		{"--basic-auth-file", a.BasicAuthFile},
		{"--authentication-token-webhook-config-file", a.TokenWebhook.ConfigFile},
		{"--authentication-config", a.AuthenticationConfig},
	}
	files = append(files, flagFile{"--service-account-signing-key-file", a.ServiceAccountSigningKeyFile})
	for _, path := range a.ServiceAccountKeyFiles {
		files = append(files, flagFile{"--service-account-key-file", path})
	}
	if a.OIDC != nil {
		files = append(files, flagFile{"--oidc-ca-file", a.OIDC.CAFile})
	}
	return files
}

func (h *RequestHeader) validate() error {
	for _, l := range []struct {
		flag string
		list []string
	}{
		{"--requestheader-allowed-names", h.AllowedNames},
		{"--requestheader-username-headers", h.UsernameHeaders},
		{"--requestheader-uid-headers", h.UIDHeaders},
		{"--requestheader-group-headers", h.GroupHeaders},
		{"--requestheader-extra-headers-prefix", h.ExtraHeaderPrefixes},
	} {
		if slices.ContainsFunc(l.list, func(s string) bool { return strings.TrimSpace(s) == "" }) {
			return fmt.Errorf("%s has an empty value", l.flag)
		}
	}
	return nil
}
