package main

import (
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"coracle/apiserver"
	"coracle/apiserver/audit"
	authzconfig "coracle/apiserver/authz/config"
	"coracle/cluster"
)

// read reads settings as `coracle up ARGS` would, with the file given as settings.yaml in the working directory.
func read(t *testing.T, file string, args ...string) (cluster.Config, slog.Level, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("settings.yaml", []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	f := pflag.NewFlagSet("up", pflag.ContinueOnError)
	addSettings(f)
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	return readSettings(f)
}

func defaults() cluster.Config {
	authentication := cluster.DefaultAuthentication()
	authentication.APIAudiences, authentication.ServiceAccountKeyFiles = []string{}, []string{}
	return cluster.Config{
		BindAddress: "127.0.0.1", SecurePort: 6443, Era: "classic", Nodes: 1, Controllers: []string{"*"}, Hints: "off",
		ServiceClusterIPRange: cluster.DefaultServiceCIDR, Advertise: []string{}, Authentication: authentication,
		Authorization: authzconfig.DefaultFlags(), MaxInFlight: apiserver.MaxInFlight{ReadOnly: 400, Mutating: 200},
		Audit: audit.DefaultOptions(), TLS: cluster.TLSPolicy{SNICertKeys: []string{}, CipherSuites: []string{}}, ClusterSigningDuration: 365 * 24 * time.Hour,
	}
}

func TestReadSettings(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		file string
		args []string
		want func(*cluster.Config)
	}{
		{name: "nothing said means the defaults", want: func(*cluster.Config) {}},
		{name: "service accounts", args: []string{"--service-account-signing-key-file=a.key", "--service-account-max-token-expiration=2h",
			"--service-account-extend-token-expiration=false", "--service-account-lookup=false"},
			want: func(c *cluster.Config) {
				c.ServiceAccountSigningKeyFile, c.ServiceAccountMaxTokenExpiration = "a.key", 2*time.Hour
				c.ServiceAccountExtendTokenExpiration, c.ServiceAccountLookup = new(false), new(false)
			}},
		{name: "no scheduler", args: []string{"--controllers=*,-scheduler"}, want: func(c *cluster.Config) { c.Controllers = []string{"*", "-scheduler"} }},
		{name: "a duration", args: []string{"--legacy-service-account-token-clean-up-period=720h"},
			want: func(c *cluster.Config) { c.LegacyTokenCleanUpPeriod = 720 * time.Hour }},
		{name: "bounds on what is in flight", args: []string{"--max-requests-inflight=0", "--max-mutating-requests-inflight=7"},
			want: func(c *cluster.Config) { c.MaxInFlight = apiserver.MaxInFlight{Mutating: 7} }},
		{name: "an audit log", args: []string{"--audit-policy-file=policy.yaml", "--audit-log-path=-", "--audit-log-mode=batch", "--audit-webhook-batch-max-size=7"},
			want: func(c *cluster.Config) {
				c.Audit.PolicyFile, c.Audit.Log.Path, c.Audit.Log.Sink.Mode, c.Audit.Webhook.Sink.Batch.MaxBatchSize = "policy.yaml", "-", audit.Batch, 7
			}},
		{name: "a policy for TLS", args: []string{"--tls-min-version=VersionTLS13", "--tls-sni-cert-key=a.crt,a.key:a.example,*.b.example", "--tls-sni-cert-key=c.crt,c.key", "--tls-curve-preferences=29,23"},
			want: func(c *cluster.Config) {
				c.TLS.MinVersion, c.TLS.CurvePreferences = "VersionTLS13", []int32{29, 23}
				c.TLS.SNICertKeys = []string{"a.crt,a.key:a.example,*.b.example", "c.crt,c.key"}
			}},
		{name: "a flag", args: []string{"--secure-port=0", "--advertise=a.example,10.0.0.1"},
			want: func(c *cluster.Config) { c.SecurePort = 0; c.Advertise = []string{"a.example", "10.0.0.1"} }},
		{name: "the environment", env: map[string]string{"CORACLE_SECURE_PORT": "7443", "CORACLE_ANONYMOUS_AUTH": "false", "CORACLE_ADVERTISE": "a.example,b.example"},
			want: func(c *cluster.Config) {
				c.SecurePort, c.AnonymousAuth, c.Advertise = 7443, new(false), []string{"a.example", "b.example"}
			}},
		{name: "the file", args: []string{"--config=settings.yaml"}, file: "era: modern\nadvertise: [a.example]\nanonymous-auth: false\nnodes: 0\n",
			want: func(c *cluster.Config) {
				c.Era, c.Advertise, c.AnonymousAuth, c.Nodes = "modern", []string{"a.example"}, new(false), 0
			}},
		{name: "the environment names the file", env: map[string]string{"CORACLE_CONFIG": "settings.yaml"}, file: "nodes: 3\n",
			want: func(c *cluster.Config) { c.Nodes = 3 }},
		{name: "the environment beats the file", env: map[string]string{"CORACLE_NODES": "2"}, args: []string{"--config=settings.yaml"}, file: "nodes: 3\nera: modern\n",
			want: func(c *cluster.Config) { c.Nodes, c.Era = 2, "modern" }},
		{name: "a flag beats both, even with the default's value", env: map[string]string{"CORACLE_NODES": "2"}, args: []string{"--config=settings.yaml", "--nodes=1"}, file: "nodes: 3\n",
			want: func(*cluster.Config) {}},
		{name: "an empty file says nothing", args: []string{"--config=settings.yaml"}, want: func(*cluster.Config) {}},
		{name: "Kubernetes' variables about a Service named coracle are no settings", env: map[string]string{
			"CORACLE_SERVICE_HOST": "10.96.0.7", "CORACLE_SERVICE_PORT": "443", "CORACLE_SERVICE_PORT_HTTPS": "443",
			"CORACLE_PORT": "tcp://10.96.0.7:443", "CORACLE_PORT_443_TCP": "tcp://10.96.0.7:443", "CORACLE_PORT_443_TCP_ADDR": "10.96.0.7",
		}, want: func(*cluster.Config) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			got, level, err := read(t, c.file, c.args...)
			if err != nil {
				t.Fatal(err)
			}
			want := defaults()
			c.want(&want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
			if level != slog.LevelWarn {
				t.Errorf("log level %s, want warn", level)
			}
		})
	}
}

func TestReadSettings_Refusals(t *testing.T) {
	config := []string{"--config=settings.yaml"}
	for _, c := range []struct {
		name string
		env  string // NAME=VALUE
		file string
		args []string
		want string
	}{
		{name: "a key that is almost a flag", args: config, file: "securePort: 1\n",
			want: `--config settings.yaml: there is no setting "securePort"; did you mean "secure-port"?`},
		{name: "a key that is no flag", args: config, file: "colour: red\n",
			want: "--config settings.yaml: there is no setting \"colour\"; `coracle up --help` lists them"},
		{name: "a file that names a file", args: config, file: "config: other.yaml\n",
			want: "--config settings.yaml: there is no setting \"config\"; `coracle up --help` lists them"},
		{name: "a file that is a list", args: config, file: "- nodes\n",
			want: "--config settings.yaml is no YAML of keys and values: yaml: unmarshal errors: line 1: cannot unmarshal !!seq into map[string]interface {}"},
		{name: "a key twice", args: config, file: "nodes: 1\nnodes: 2\n",
			want: "--config settings.yaml is no YAML of keys and values: yaml: unmarshal errors: line 2: mapping key \"nodes\" already defined at line 1"},
		{name: "a file that is not there", args: []string{"--config=missing.yaml"},
			want: "--config missing.yaml cannot be read: no such file or directory"},
		{name: "a word for a number", args: config, file: "nodes: many\n",
			want: "a setting is not understood: 'nodes' cannot parse value as 'int': strconv.ParseInt: invalid syntax"},
		{name: "a map for a word", args: config, file: "era: {a: b}\n",
			want: "a setting is not understood: 'era' expected type 'string', got unconvertible type 'map[string]interface {}'"},
		{name: "a misspelt variable", env: "CORACLE_ERRA=modern", want: `the environment has CORACLE_ERRA, and there is no setting "erra"; did you mean "era"?`},
		{name: "an unknown log level", args: []string{"--log-level=loud"}, want: `--log-level "loud" is not known; choose debug, info, warn or error`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if name, value, ok := strings.Cut(c.env, "="); ok {
				t.Setenv(name, value)
			}
			_, _, err := read(t, c.file, c.args...)
			if err == nil {
				t.Fatal("it was accepted")
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}
