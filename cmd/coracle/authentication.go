package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"coracle/authn/oidc"
	"coracle/cluster"
)

// authnSettings are the settings about who is let in. Their names and meanings are kube-apiserver's.
type authnSettings struct {
	AnonymousAuth            bool          `mapstructure:"anonymous-auth"`
	ClientCAFile             string        `mapstructure:"client-ca-file"`
	TokenAuthFile            string        `mapstructure:"token-auth-file"`
	BasicAuthFile            string        `mapstructure:"basic-auth-file"`
	BootstrapTokens          bool          `mapstructure:"enable-bootstrap-token-auth"`
	ServiceAccountIssuer     []string      `mapstructure:"service-account-issuer"`
	ServiceAccountSigningKey string        `mapstructure:"service-account-signing-key-file"`
	ServiceAccountKeyFile    []string      `mapstructure:"service-account-key-file"`
	ServiceAccountMinExpiry  time.Duration `mapstructure:"service-account-min-token-expiration"`
	ServiceAccountMaxExpiry  time.Duration `mapstructure:"service-account-max-token-expiration"`
	ServiceAccountExtend     bool          `mapstructure:"service-account-extend-token-expiration"`
	ServiceAccountLookup     bool          `mapstructure:"service-account-lookup"`
	ServiceAccountJWKSURI    string        `mapstructure:"service-account-jwks-uri"`
	APIAudiences             []string      `mapstructure:"api-audiences"`
	AuthenticationConfig     string        `mapstructure:"authentication-config"`
	WebhookConfigFile        string        `mapstructure:"authentication-token-webhook-config-file"`
	WebhookVersion           string        `mapstructure:"authentication-token-webhook-version"`
	WebhookCacheTTL          time.Duration `mapstructure:"authentication-token-webhook-cache-ttl"`
	OIDCIssuerURL            string        `mapstructure:"oidc-issuer-url"`
	OIDCClientID             string        `mapstructure:"oidc-client-id"`
	OIDCCAFile               string        `mapstructure:"oidc-ca-file"`
	OIDCUsernameClaim        string        `mapstructure:"oidc-username-claim"`
	OIDCUsernamePrefix       string        `mapstructure:"oidc-username-prefix"`
	OIDCGroupsClaim          string        `mapstructure:"oidc-groups-claim"`
	OIDCGroupsPrefix         string        `mapstructure:"oidc-groups-prefix"`
	OIDCSigningAlgs          []string      `mapstructure:"oidc-signing-algs"`
	OIDCRequiredClaim        []string      `mapstructure:"oidc-required-claim"`
	ProxyCAFile              string        `mapstructure:"requestheader-client-ca-file"`
	ProxyAllowedNames        []string      `mapstructure:"requestheader-allowed-names"`
	ProxyUsernameHeaders     []string      `mapstructure:"requestheader-username-headers"`
	ProxyUIDHeaders          []string      `mapstructure:"requestheader-uid-headers"`
	ProxyGroupHeaders        []string      `mapstructure:"requestheader-group-headers"`
	ProxyExtraHeaderPrefixes []string      `mapstructure:"requestheader-extra-headers-prefix"`
}

// addAuthnSettings defines the flags, with their defaults.
func addAuthnSettings(f *pflag.FlagSet, in func(group string, names ...string)) {
	d := cluster.DefaultAuthentication()
	var names []string
	say := func(name string) string { names = append(names, name); return name }

	f.Bool(say("anonymous-auth"), true, "let requests without credentials in as system:anonymous")
	f.String(say("client-ca-file"), "", "PEM file of further authorities whose client certificates are trusted")
	f.String(say("token-auth-file"), "", "CSV file of bearer tokens: token,user,uid,\"group1,group2\"")
	f.String(say("basic-auth-file"), "", "CSV file of passwords: password,user,uid,\"group1,group2\" (classic era only)")
	f.Bool(say("enable-bootstrap-token-auth"), d.EnableBootstrapTokenAuth, "take tokens of Secrets of type bootstrap.kubernetes.io/token in kube-system")
	f.StringArray(say("service-account-issuer"), d.ServiceAccountIssuers, "issuer of service-account tokens; repeated, the first issues and all are accepted")
	f.String(say("service-account-signing-key-file"), "", "PEM file of the private key that signs service-account tokens (default: DATA-DIR/pki/sa.key, whose tokens stay good)")
	f.StringArray(say("service-account-key-file"), nil, "PEM file of further keys that service-account tokens may be signed by; may be repeated")
	f.String(say("service-account-jwks-uri"), "", "where others are told to fetch the keys of service-account tokens (default: from this server)")
	f.Duration(say("service-account-min-token-expiration"), d.ServiceAccountMinTokenExpiration, "how long tokens that are asked for live at least, 1s or more, to see how a token ends (Coracle's own; Kubernetes has 10m)")
	f.Duration(say("service-account-max-token-expiration"), 0, "how long tokens that are asked for live at most, 1h or more; longer ones are shortened (default: any time)")
	f.Bool(say("service-account-extend-token-expiration"), *d.ServiceAccountExtendTokenExpiration, "tokens that pods get of their own accord live a year, for clients that read the file but once")
	f.Bool(say("service-account-lookup"), *d.ServiceAccountLookup, "look whether the Secret and the account of a token in a Secret are there still, each time that it is used")
	f.StringSlice(say("api-audiences"), nil, "audiences that the server takes tokens for (default: the issuers)")
	in(groupAuthn, names...)

	names = nil
	f.String(say("authentication-config"), "", "file with an AuthenticationConfiguration: OpenID Connect issuers, anonymous requests")
	f.String(say("oidc-issuer-url"), "", "URL of the OpenID Connect issuer")
	f.String(say("oidc-client-id"), "", "client that ID tokens must be for")
	f.String(say("oidc-ca-file"), "", "PEM file of the authorities of the issuer's server (default: the system's)")
	f.String(say("oidc-username-claim"), "sub", "claim that names the user")
	f.String(say("oidc-username-prefix"), "", "what user names are prefixed with; - for nothing (default: ISSUER#, unless the claim is email)")
	f.String(say("oidc-groups-claim"), "", "claim that names the groups")
	f.String(say("oidc-groups-prefix"), "", "what groups are prefixed with")
	f.StringSlice(say("oidc-signing-algs"), []string{"RS256"}, "algorithms that ID tokens may be signed with")
	f.StringArray(say("oidc-required-claim"), nil, "CLAIM=VALUE that ID tokens must have; may be repeated")
	f.String(say("authentication-token-webhook-config-file"), "", "kubeconfig of a service that is asked by TokenReview whose a token is")
	f.String(say("authentication-token-webhook-version"), d.TokenWebhook.Version, "version of that TokenReview: v1 or v1beta1")
	f.Duration(say("authentication-token-webhook-cache-ttl"), d.TokenWebhook.CacheTTL, "how long that service's answers are remembered")
	in(groupIssuers, names...)

	names = nil
	h := d.RequestHeader
	f.String(say("requestheader-client-ca-file"), "", "PEM file of the authorities of proxies that say who asks (default: DATA-DIR/pki/front-proxy-ca.crt)")
	f.StringSlice(say("requestheader-allowed-names"), h.AllowedNames, "common names that such proxies' certificates may have; empty for any")
	f.StringSlice(say("requestheader-username-headers"), h.UsernameHeaders, "headers in which they name the user")
	f.StringSlice(say("requestheader-uid-headers"), h.UIDHeaders, "headers in which they name the user's UID")
	f.StringSlice(say("requestheader-group-headers"), h.GroupHeaders, "headers in which they name the groups")
	f.StringSlice(say("requestheader-extra-headers-prefix"), h.ExtraHeaderPrefixes, "prefixes of headers in which they say more")
	in(groupProxies, names...)
}

// config is what the settings say. Said tells which were given, rather than left to their defaults.
func (s *authnSettings) config(said func(name string) bool) (cluster.Authentication, error) {
	a := cluster.Authentication{
		ClientCAFile:             s.ClientCAFile,
		TokenAuthFile:            s.TokenAuthFile,
		BasicAuthFile:            s.BasicAuthFile,
		EnableBootstrapTokenAuth: s.BootstrapTokens,
		ServiceAccountIssuers:    s.ServiceAccountIssuer,
		ServiceAccountLookup:     &s.ServiceAccountLookup,
		ServiceAccountKeyFiles:   s.ServiceAccountKeyFile,

		ServiceAccountSigningKeyFile:        s.ServiceAccountSigningKey,
		ServiceAccountMinTokenExpiration:    s.ServiceAccountMinExpiry,
		ServiceAccountMaxTokenExpiration:    s.ServiceAccountMaxExpiry,
		ServiceAccountExtendTokenExpiration: &s.ServiceAccountExtend,

		ServiceAccountJWKSURI: s.ServiceAccountJWKSURI,
		APIAudiences:          s.APIAudiences,
		AuthenticationConfig:  s.AuthenticationConfig,
		TokenWebhook:          cluster.TokenWebhook{ConfigFile: s.WebhookConfigFile, Version: s.WebhookVersion, CacheTTL: s.WebhookCacheTTL},
		RequestHeader: cluster.RequestHeader{
			ClientCAFile:        s.ProxyCAFile,
			AllowedNames:        list(s.ProxyAllowedNames),
			UsernameHeaders:     list(s.ProxyUsernameHeaders),
			UIDHeaders:          list(s.ProxyUIDHeaders),
			GroupHeaders:        list(s.ProxyGroupHeaders),
			ExtraHeaderPrefixes: list(s.ProxyExtraHeaderPrefixes),
		},
	}
	if said("anonymous-auth") {
		a.AnonymousAuth = &s.AnonymousAuth
	}
	for _, name := range []string{
		"oidc-issuer-url", "oidc-client-id", "oidc-ca-file", "oidc-username-claim", "oidc-username-prefix",
		"oidc-groups-claim", "oidc-groups-prefix", "oidc-signing-algs", "oidc-required-claim",
	} {
		if said(name) {
			a.OIDC = &cluster.OIDC{CAFile: s.OIDCCAFile, SigningAlgorithms: s.OIDCSigningAlgs}
		}
	}
	if a.OIDC == nil {
		return a, nil
	}
	a.OIDC.Flags = oidc.Flags{
		IssuerURL: s.OIDCIssuerURL, ClientID: s.OIDCClientID,
		UsernameClaim: s.OIDCUsernameClaim, UsernamePrefix: s.OIDCUsernamePrefix,
		GroupsClaim: s.OIDCGroupsClaim, GroupsPrefix: s.OIDCGroupsPrefix,
	}
	for _, required := range s.OIDCRequiredClaim {
		claim, value, ok := strings.Cut(required, "=")
		if !ok || claim == "" {
			return a, fmt.Errorf("--oidc-required-claim %q is not CLAIM=VALUE", required)
		}
		if a.OIDC.RequiredClaims == nil {
			a.OIDC.RequiredClaims = map[string]string{}
		}
		a.OIDC.RequiredClaims[claim] = value
	}
	return a, nil
}

// list is never nil: an empty list was meant to be empty.
func list(values []string) []string {
	if values == nil {
		return []string{}
	}
	return values
}
