package main

import (
	"errors"
	"time"

	"github.com/spf13/pflag"

	authzconfig "coracle/apiserver/authz/config"
)

// authzSettings say what those who are let in may do, by kube-apiserver's names.
type authzSettings struct {
	Modes           []string      `mapstructure:"authorization-mode"`
	ConfigFile      string        `mapstructure:"authorization-config"`
	PolicyFile      string        `mapstructure:"authorization-policy-file"`
	Webhook         string        `mapstructure:"authorization-webhook-config-file"`
	WebhookVersion  string        `mapstructure:"authorization-webhook-version"`
	AuthorizedTTL   time.Duration `mapstructure:"authorization-webhook-cache-authorized-ttl"`
	UnauthorizedTTL time.Duration `mapstructure:"authorization-webhook-cache-unauthorized-ttl"`
}

// addAuthzSettings defines the flags, with their defaults.
func addAuthzSettings(f *pflag.FlagSet, in func(group string, names ...string)) {
	d := authzconfig.DefaultFlags()
	var names []string
	say := func(name string) string { names = append(names, name); return name }

	f.StringSlice(say("authorization-mode"), d.Modes, "authorizers, asked in this order: Node, RBAC, Webhook, ABAC, AlwaysAllow, AlwaysDeny")
	f.String(say("authorization-policy-file"), "", "file of mode ABAC: a policy in JSON on each line")
	f.String(say("authorization-webhook-config-file"), "", "kubeconfig of the service of mode Webhook, which is asked by SubjectAccessReview")
	f.String(say("authorization-webhook-version"), d.WebhookVersion, "version of that SubjectAccessReview: v1 or v1beta1")
	f.Duration(say("authorization-webhook-cache-authorized-ttl"), d.AuthorizedTTL, "how long that service's yes is remembered")
	f.Duration(say("authorization-webhook-cache-unauthorized-ttl"), d.UnauthorizedTTL, "how long its no is")
	f.String(say("authorization-config"), "", "file with an AuthorizationConfiguration, in place of the modes; read again when it changes")
	in(groupAuthz, names...)
}

// config is what the settings say. Said tells which were given, rather than left to their defaults.
func (s *authzSettings) config(said func(name string) bool) (authzconfig.Flags, error) {
	f := authzconfig.Flags{
		Modes: list(s.Modes), PolicyFile: s.PolicyFile, ConfigFile: s.ConfigFile,
		WebhookConfigFile: s.Webhook, WebhookVersion: s.WebhookVersion,
		AuthorizedTTL: s.AuthorizedTTL, UnauthorizedTTL: s.UnauthorizedTTL,
	}
	if s.ConfigFile == "" {
		return f, nil
	}
	for _, name := range []string{
		"authorization-mode", "authorization-webhook-config-file", "authorization-webhook-version",
		"authorization-webhook-cache-authorized-ttl", "authorization-webhook-cache-unauthorized-ttl",
	} {
		if said(name) {
			return f, errors.New("--authorization-config can not be specified when --authorization-mode or --authorization-webhook-* flags are defined")
		}
	}
	return f, nil
}
