package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"

	"coracle/cluster"
)

// settings are what `coracle up` can be told, before it is a cluster.Config.
type settings struct {
	DataDir               string   `mapstructure:"data-dir"`
	BindAddress           string   `mapstructure:"bind-address"`
	SecurePort            int      `mapstructure:"secure-port"`
	Advertise             []string `mapstructure:"advertise"`
	Era                   string   `mapstructure:"era"`
	Nodes                 int      `mapstructure:"nodes"`
	Hints                 string   `mapstructure:"hints"`
	TokenAuthFile         string   `mapstructure:"token-auth-file"`
	ClientCAFile          string   `mapstructure:"client-ca-file"`
	AnonymousAuth         bool     `mapstructure:"anonymous-auth"`
	ServiceAccountIssuer  string   `mapstructure:"service-account-issuer"`
	APIAudiences          []string `mapstructure:"api-audiences"`
	ServiceClusterIPRange string   `mapstructure:"service-cluster-ip-range"`
	LogLevel              string   `mapstructure:"log-level"`
	Config                string   `mapstructure:"config"`
}

// The groups under which --help lists the flags.
const (
	groupCluster = "The cluster"
	groupNetwork = "Where it listens"
	groupAuthn   = "Who is let in"
	groupOutput  = "Settings and output"
	annotation   = "group"
)

// addSettings defines the flags, with their defaults.
func addSettings(f *pflag.FlagSet) *settings {
	in := func(group string, names ...string) {
		for _, n := range names {
			f.SetAnnotation(n, annotation, []string{group})
		}
	}
	f.String("data-dir", "", "directory of objects, keys and certificates (default ~/.coracle/default)")
	f.String("era", "classic", "classic: service accounts get token Secrets, as up to Kubernetes 1.23; modern: bound tokens, as since 1.24")
	f.Int("nodes", 1, "how many nodes are simulated; 0 for none")
	in(groupCluster, "data-dir", "era", "nodes")

	f.String("bind-address", cluster.DefaultBindAddress, "IP address to listen on")
	f.Int("secure-port", cluster.DefaultSecurePort, "port of the API; 0 lets the system choose")
	f.StringSlice("advertise", nil, "further host names and IP addresses that clients may call the server by")
	f.String("service-cluster-ip-range", cluster.DefaultServiceCIDR, "network of services' cluster IPs")
	in(groupNetwork, "bind-address", "secure-port", "advertise", "service-cluster-ip-range")

	f.Bool("anonymous-auth", true, "let requests without credentials in as system:anonymous")
	f.String("token-auth-file", "", "CSV file of bearer tokens: token,user,uid,\"group1,group2\"")
	f.String("client-ca-file", "", "PEM file of further authorities whose client certificates are trusted")
	f.String("service-account-issuer", cluster.DefaultIssuer, "issuer of service-account tokens")
	f.StringSlice("api-audiences", nil, "audiences that the server takes tokens for (default: the issuer)")
	in(groupAuthn, "anonymous-auth", "token-auth-file", "client-ca-file", "service-account-issuer", "api-audiences")

	f.String("config", "", "YAML file of settings; its keys are the flags' names")
	f.String("hints", "off", "off, or client: explain refusals to clients in a Warning header as well")
	f.String("log-level", "warn", "debug, info, warn or error")
	in(groupOutput, "config", "hints", "log-level")
	return &settings{}
}

// read brings flags, environment and file together.
func (s *settings) read(f *pflag.FlagSet) (cluster.Config, slog.Level, error) {
	var none cluster.Config
	v := viper.New()
	v.SetEnvPrefix("coracle")
	v.SetEnvKeyReplacer(strings.NewReplacer("-", "_"))
	var known []string
	var flagErr error
	f.VisitAll(func(flag *pflag.Flag) {
		if flag.Name == "help" {
			return
		}
		known = append(known, flag.Name)
		flagErr = errors.Join(flagErr, v.BindPFlag(flag.Name, flag), v.BindEnv(flag.Name))
	})
	if flagErr != nil {
		return none, 0, flagErr
	}
	if err := unknownEnvironment(known); err != nil {
		return none, 0, err
	}
	if file := v.GetString("config"); file != "" {
		if err := readFile(v, file, known); err != nil {
			return none, 0, err
		}
	}
	if err := v.UnmarshalExact(s); err != nil {
		return none, 0, fmt.Errorf("the settings cannot be read: %w", err)
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.LogLevel)); err != nil {
		return none, 0, fmt.Errorf("--log-level %q is not known; choose debug, info, warn or error", s.LogLevel)
	}
	return cluster.Config{
		DataDir:               s.DataDir,
		BindAddress:           s.BindAddress,
		SecurePort:            s.SecurePort,
		Advertise:             s.Advertise,
		Era:                   s.Era,
		Nodes:                 s.Nodes,
		Hints:                 s.Hints,
		TokenAuthFile:         s.TokenAuthFile,
		ClientCAFile:          s.ClientCAFile,
		AnonymousAuth:         s.AnonymousAuth,
		ServiceAccountIssuer:  s.ServiceAccountIssuer,
		APIAudiences:          s.APIAudiences,
		ServiceClusterIPRange: s.ServiceClusterIPRange,
	}, level, nil
}

// readFile reads the YAML file, and refuses keys that are no flag: a misspelt setting is never ignored.
func readFile(v *viper.Viper, file string, known []string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return fmt.Errorf("--config %s cannot be read: %w", file, err)
	}
	values := map[string]any{}
	if err := yaml.Unmarshal(data, &values); err != nil {
		return fmt.Errorf("--config %s is no YAML of keys and values: %w", file, err)
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(known, key) || key == "config" {
			return fmt.Errorf("--config %s: there is no setting %q%s", file, key, suggestion(key, known))
		}
	}
	return v.MergeConfigMap(values)
}

// unknownEnvironment refuses CORACLE_ variables that are no setting.
func unknownEnvironment(known []string) error {
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		rest, ok := strings.CutPrefix(name, "CORACLE_")
		if !ok {
			continue
		}
		key := strings.ReplaceAll(strings.ToLower(rest), "_", "-")
		if !slices.Contains(known, key) {
			return fmt.Errorf("the environment has %s, and there is no setting %q%s", name, key, suggestion(key, known))
		}
	}
	return nil
}

// suggestion names the setting that was probably meant.
func suggestion(key string, known []string) string {
	norm := strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(key))
	for _, k := range known {
		if n := strings.ReplaceAll(k, "-", ""); n == norm || strings.HasPrefix(n, norm) || strings.HasPrefix(norm, n) {
			return fmt.Sprintf("; did you mean %q?", k)
		}
	}
	return "; `coracle up --help` lists them"
}

// groupedUsage lists the flags by what they are about.
func groupedUsage(cmd *cobra.Command) error {
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "\nUsage:\n  %s\n", cmd.UseLine())
	if cmd.HasExample() {
		fmt.Fprintf(out, "\nExamples:\n%s\n", cmd.Example)
	}
	for _, group := range []string{groupCluster, groupNetwork, groupAuthn, groupOutput} {
		set := pflag.NewFlagSet(group, pflag.ContinueOnError)
		set.SortFlags = false
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if g := f.Annotations[annotation]; len(g) == 1 && g[0] == group {
				set.AddFlag(f)
			}
		})
		fmt.Fprintf(out, "\n%s:\n%s", group, set.FlagUsagesWrapped(100))
	}
	return nil
}
