package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"

	"coracle/apiserver"
	"coracle/cluster"
	"coracle/controllers/certificates"
)

// settings are what `coracle up` can be told, before it is a cluster.Config.
type settings struct {
	DataDir               string        `mapstructure:"data-dir"`
	BindAddress           string        `mapstructure:"bind-address"`
	SecurePort            int           `mapstructure:"secure-port"`
	Advertise             []string      `mapstructure:"advertise"`
	Era                   string        `mapstructure:"era"`
	Nodes                 int           `mapstructure:"nodes"`
	NodeCertificates      string        `mapstructure:"node-certificates"`
	Controllers           []string      `mapstructure:"controllers"`
	Hints                 string        `mapstructure:"hints"`
	ServiceClusterIPRange string        `mapstructure:"service-cluster-ip-range"`
	MaxReading            int           `mapstructure:"max-requests-inflight"`
	MaxWriting            int           `mapstructure:"max-mutating-requests-inflight"`
	TLS                   tlsSettings   `mapstructure:",squash"`
	Authn                 authnSettings `mapstructure:",squash"`
	Authz                 authzSettings `mapstructure:",squash"`
	Audit                 auditSettings `mapstructure:",squash"`
	LegacyTokenCleanUp    time.Duration `mapstructure:"legacy-service-account-token-clean-up-period"`
	SigningDuration       time.Duration `mapstructure:"cluster-signing-duration"`
	LogLevel              string        `mapstructure:"log-level"`
	Config                string        `mapstructure:"config"`
}

// addSettings defines the flags, with their defaults.
func addSettings(f *pflag.FlagSet) {
	f.SortFlags = false
	in := func(group string, names ...string) {
		for _, n := range names {
			f.SetAnnotation(n, annotation, []string{group})
		}
	}
	f.String("data-dir", "", "directory of objects, keys and certificates (default ~/.coracle/default)")
	f.String("era", "classic", "classic: service accounts get token Secrets, as up to Kubernetes 1.23; modern: bound tokens, as since 1.24")
	f.Int("nodes", 1, "how many nodes are simulated; 0 for none")
	f.String("node-certificates", "", "bootstrap: the nodes ask for certificates with a bootstrap token, as those that join; issued: they are handed them (default bootstrap, if such tokens are taken)")
	f.StringSlice("controllers", []string{"*"}, "which controllers run: names, * for all, -NAME for all but one, -* for none")
	in(groupCluster, "data-dir", "era", "nodes", "node-certificates", "controllers")

	f.String("bind-address", cluster.DefaultBindAddress, "IP address to listen on")
	f.Int("secure-port", cluster.DefaultSecurePort, "port of the API; 0 lets the system choose")
	f.StringSlice("advertise", nil, "further host names and IP addresses that clients may call the server by")
	f.String("service-cluster-ip-range", cluster.DefaultServiceCIDR, "network of services' cluster IPs")
	f.Int("max-requests-inflight", 400, "how many reading requests are worked on at once before others get 429; 0 for no bound")
	f.Int("max-mutating-requests-inflight", 200, "how many writing requests are worked on at once before others get 429; 0 for no bound")
	in(groupNetwork, "bind-address", "secure-port", "advertise", "service-cluster-ip-range", "max-requests-inflight", "max-mutating-requests-inflight")

	addTLSSettings(f, in)
	addAuthnSettings(f, in)
	addAuthzSettings(f, in)
	addAuditSettings(f, in)
	f.Duration("legacy-service-account-token-clean-up-period", 0, "after how long out of use a token that was made for an account is refused, and then deleted (default: 8760h in the modern era, never in the classic one)")
	f.Duration("cluster-signing-duration", certificates.DefaultDuration, "for how long a signed certificate is good at most, and when its request does not say")
	in(groupAuthn, "legacy-service-account-token-clean-up-period", "cluster-signing-duration")

	f.String("config", "", "YAML file of settings; its keys are the flags' names")
	f.String("hints", "off", "off, or client: explain refusals to clients in a Warning header as well")
	f.String("log-level", "warn", "debug, info, warn or error")
	in(groupOutput, "config", "hints", "log-level")
}

// readSettings brings flags, environment and file together: a flag beats the environment, which beats the file.
// Errors are sentences.
func readSettings(f *pflag.FlagSet) (cluster.Config, slog.Level, error) {
	var none cluster.Config
	v := viper.New()
	v.SetEnvPrefix("coracle")
	v.SetEnvKeyReplacer(strings.NewReplacer("-", "_"))
	var known []string
	var bound error
	f.VisitAll(func(flag *pflag.Flag) {
		if flag.Name != "help" {
			known = append(known, flag.Name)
			bound = errors.Join(bound, v.BindPFlag(flag.Name, flag), v.BindEnv(flag.Name))
		}
	})
	if bound != nil {
		return none, 0, bound
	}
	if err := checkEnvironment(os.Environ(), known); err != nil {
		return none, 0, err
	}
	if file := v.GetString("config"); file != "" {
		if err := readFile(v, file, known); err != nil {
			return none, 0, err
		}
	}
	var s settings
	if err := v.UnmarshalExact(&s); err != nil {
		_, what, _ := strings.Cut(oneLine(err), "error(s): ") // the first words only count what follows
		return none, 0, fmt.Errorf("a setting is not understood: %s", what)
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.LogLevel)); err != nil {
		return none, 0, fmt.Errorf("--log-level %q is not known; choose debug, info, warn or error", s.LogLevel)
	}
	if s.SigningDuration <= 0 {
		return none, 0, fmt.Errorf("--cluster-signing-duration %s is not positive; say for how long certificates are good, such as 8760h", s.SigningDuration)
	}
	given := func(name string) bool { return said(f, v, name) }
	authn, err := s.Authn.config(given)
	if err != nil {
		return none, 0, err
	}
	authz, err := s.Authz.config(given)
	if err != nil {
		return none, 0, err
	}
	tls, err := s.TLS.policy()
	if err != nil {
		return none, 0, err
	}
	return cluster.Config{
		Authentication:        authn,
		Authorization:         authz,
		Audit:                 s.Audit.options(),
		DataDir:               s.DataDir,
		BindAddress:           s.BindAddress,
		SecurePort:            s.SecurePort,
		Advertise:             s.Advertise,
		Era:                   s.Era,
		Nodes:                 s.Nodes,
		NodeCertificates:      s.NodeCertificates,
		Controllers:           s.Controllers,
		Hints:                 s.Hints,
		ServiceClusterIPRange: s.ServiceClusterIPRange,
		TLS:                   tls,
		MaxInFlight:           apiserver.MaxInFlight{ReadOnly: s.MaxReading, Mutating: s.MaxWriting},

		LegacyTokenCleanUpPeriod: s.LegacyTokenCleanUp,
		ClusterSigningDuration:   s.SigningDuration,
	}, level, nil
}

// said tells whether a setting was given at all.
func said(f *pflag.FlagSet, v *viper.Viper, name string) bool {
	variable := "CORACLE_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	return f.Changed(name) || os.Getenv(variable) != "" || v.InConfig(name)
}

// readFile reads the YAML file, and refuses keys that are no flag: a misspelt setting is never ignored.
func readFile(v *viper.Viper, file string, known []string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		if pe, ok := errors.AsType[*fs.PathError](err); ok {
			err = pe.Err
		}
		return fmt.Errorf("--config %s cannot be read: %w", file, err)
	}
	values := map[string]any{}
	if err := yaml.Unmarshal(data, &values); err != nil {
		return fmt.Errorf("--config %s is no YAML of keys and values: %s", file, oneLine(err))
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(known, key) || key == "config" {
			return fmt.Errorf("--config %s: there is no setting %q%s", file, key, suggestion(key, known))
		}
	}
	return v.MergeConfigMap(values)
}

// checkEnvironment refuses CORACLE_ variables that are no setting.
func checkEnvironment(environ, known []string) error {
	for _, e := range environ {
		name, _, _ := strings.Cut(e, "=")
		rest, ok := strings.CutPrefix(name, "CORACLE_")
		if !ok || serviceLink(rest) {
			continue
		}
		key := strings.ReplaceAll(strings.ToLower(rest), "_", "-")
		if !slices.Contains(known, key) {
			return fmt.Errorf("the environment has %s, and there is no setting %q%s", name, key, suggestion(key, known))
		}
	}
	return nil
}

// serviceLink tells whether a variable, less its prefix, is one of those by which Kubernetes tells a pod where the
// Service named coracle is: whoever runs us beside one did not misspell a setting.
func serviceLink(rest string) bool {
	return regexp.MustCompile(`^(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`).MatchString(rest)
}

// oneLine is an error's text without the line feeds and lists that parsers lay it out in.
func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}
