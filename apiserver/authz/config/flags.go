package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/apis/apiserver/load"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"

	"coracle/authn/remote"
)

// Flags are the settings by kube-apiserver's names.
type Flags struct {
	Modes             []string // --authorization-mode
	PolicyFile        string   // --authorization-policy-file
	WebhookConfigFile string   // --authorization-webhook-config-file
	WebhookVersion    string   // --authorization-webhook-version
	AuthorizedTTL     time.Duration
	UnauthorizedTTL   time.Duration
	ConfigFile        string // --authorization-config, in place of the modes
}

// DefaultFlags are Kubernetes' defaults, and the modes of every cluster that kubeadm makes.
func DefaultFlags() Flags {
	return Flags{
		Modes:           []string{"Node", "RBAC"},
		WebhookVersion:  "v1beta1",
		AuthorizedTTL:   5 * time.Minute,
		UnauthorizedTTL: 30 * time.Second,
	}
}

var modes = []string{"ABAC", "AlwaysAllow", "AlwaysDeny", "Node", "RBAC", "Webhook"}

// validate checks the flags that stand in place of a file. The sentences are upstream's.
func (f Flags) validate() error {
	var errs []error
	if len(f.Modes) == 0 {
		errs = append(errs, errors.New("at least one authorization-mode must be passed"))
	}
	for _, mode := range f.Modes {
		switch {
		case !slices.Contains(modes, mode):
			errs = append(errs, fmt.Errorf("authorization-mode %q is not a valid mode", mode))
		case mode == "ABAC" && f.PolicyFile == "":
			errs = append(errs, errors.New("authorization-mode ABAC's authorization policy file not passed"))
		case mode == "Webhook" && f.WebhookConfigFile == "":
			errs = append(errs, errors.New("authorization-mode Webhook's authorization config file not passed"))
		}
	}
	if f.PolicyFile != "" && !slices.Contains(f.Modes, "ABAC") {
		errs = append(errs, errors.New("cannot specify --authorization-policy-file without mode ABAC"))
	}
	if f.WebhookConfigFile != "" && !slices.Contains(f.Modes, "Webhook") {
		errs = append(errs, errors.New("cannot specify --authorization-webhook-config-file without mode Webhook"))
	}
	if sets.New(f.Modes...).Len() != len(f.Modes) {
		errs = append(errs, fmt.Errorf("authorization-mode %q has mode specified more than once", f.Modes))
	}
	return utilerrors.NewAggregate(errs)
}

// configuration is the flags in the form of the file.
func (f Flags) configuration() *apiserver.AuthorizationConfiguration {
	c := &apiserver.AuthorizationConfiguration{}
	for _, mode := range f.Modes {
		one := apiserver.AuthorizerConfiguration{Type: apiserver.AuthorizerType(mode), Name: strings.ToLower(mode)}
		if mode == "Webhook" {
			one.Name = "default"
			one.Webhook = &apiserver.WebhookConfiguration{
				AuthorizedTTL:              metav1.Duration{Duration: f.AuthorizedTTL},
				CacheAuthorizedRequests:    f.AuthorizedTTL != 0,
				UnauthorizedTTL:            metav1.Duration{Duration: f.UnauthorizedTTL},
				CacheUnauthorizedRequests:  f.UnauthorizedTTL != 0,
				Timeout:                    metav1.Duration{Duration: remote.Patience},
				FailurePolicy:              apiserver.FailurePolicyNoOpinion,
				SubjectAccessReviewVersion: f.WebhookVersion,
				ConnectionInfo: apiserver.WebhookConnectionInfo{
					Type: apiserver.AuthorizationWebhookConnectionInfoTypeKubeConfigFile, KubeConfigFile: &f.WebhookConfigFile},
			}
		}
		c.Authorizers = append(c.Authorizers, one)
	}
	return c
}

// read decodes and checks a file. Types in required must be in it.
func read(data []byte, compiler compiler, required sets.Set[string]) (*apiserver.AuthorizationConfiguration, error) {
	c, err := load.LoadFromData(data)
	if err != nil {
		return nil, fmt.Errorf("failed to load AuthorizationConfiguration from file: %w", err)
	}
	if errs := validation.ValidateAuthorizationConfiguration(compiler, nil, c, sets.New(modes...), sets.New("Webhook")); len(errs) > 0 {
		return nil, errs.ToAggregate()
	}
	var errs []error
	missing := required.Clone()
	for _, one := range c.Authorizers {
		missing.Delete(string(one.Type))
		if want := strings.ToLower(string(one.Type)); one.Type != apiserver.TypeWebhook && one.Name != want {
			errs = append(errs, fmt.Errorf("expected name %s for authorizer %s instead of %s", want, one.Type, one.Name))
		}
	}
	if missing.Len() > 0 {
		errs = append(errs, fmt.Errorf("missing required types: %v", sets.List(missing)))
	}
	return c, utilerrors.NewAggregate(errs)
}

// load returns the configuration that the flags mean, and the file's text if there is one.
func (f Flags) load(compiler compiler) (*apiserver.AuthorizationConfiguration, []byte, error) {
	if f.ConfigFile == "" {
		if err := f.validate(); err != nil {
			return nil, nil, err
		}
		return f.configuration(), nil, nil
	}
	data, err := os.ReadFile(f.ConfigFile)
	if err != nil {
		return nil, nil, err
	}
	c, err := read(data, compiler, nil)
	return c, data, err
}
