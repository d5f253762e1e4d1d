package config

import (
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"
	"k8s.io/apiserver/pkg/authorization/cel"

	"coracle/apiserver/authz"
	"coracle/apiserver/authz/abac"
	"coracle/apiserver/authz/node"
	"coracle/apiserver/authz/webhook"
	"coracle/authn/remote"
	"coracle/rbac"
)

// Parts are what authorizers are made of and what outlives a change of the configuration.
type Parts struct {
	RBAC *rbac.Policy
	Node node.Authorizer
	Now  func() time.Time // by which the certificates of webhooks are judged
}

// compiler compiles match conditions. Its environment takes a while to build, and few need one.
type compiler func() cel.Compiler

func newCompiler() compiler { return sync.OnceValue(cel.NewDefaultCompiler) }

// CompileCELExpression implements cel.Compiler.
func (c compiler) CompileCELExpression(e cel.ExpressionAccessor) (cel.CompilationResult, error) {
	return c().CompileCELExpression(e)
}

// builder makes chains for one server.
type builder struct {
	parts    Parts
	abac     abac.Authorizer
	started  sets.Set[string] // the types, other than Webhook, with which the server started
	compiler compiler
}

// chain makes the authorizers, after the one for system:masters.
func (b *builder) chain(c *apiserver.AuthorizationConfiguration) (authz.Chain, error) {
	chain := authz.Chain{authz.PrivilegedGroup{}}
	for _, one := range c.Authorizers {
		if one.Type != apiserver.TypeWebhook && !b.started.Has(string(one.Type)) {
			return nil, fmt.Errorf("authorizer type %s is not allowed if it was not enabled at initial server startup", one.Type)
		}
		switch one.Type {
		case "Node":
			chain = append(chain, b.parts.Node)
		case "RBAC":
			chain = append(chain, authz.RBAC{Policy: b.parts.RBAC})
		case "ABAC":
			chain = append(chain, b.abac)
		case "AlwaysAllow":
			chain = append(chain, authz.AlwaysAllow{})
		case "AlwaysDeny":
			chain = append(chain, authz.AlwaysDeny{})
		case apiserver.TypeWebhook:
			w, err := b.webhook(one.Name, one.Webhook)
			if err != nil {
				return nil, err
			}
			chain = append(chain, w)
		default:
			return nil, fmt.Errorf("unknown authorization mode %s specified", one.Type)
		}
	}
	return chain, nil
}

func (b *builder) webhook(name string, c *apiserver.WebhookConfiguration) (*webhook.Authorizer, error) {
	if c.ConnectionInfo.Type != apiserver.AuthorizationWebhookConnectionInfoTypeKubeConfigFile {
		return nil, fmt.Errorf("the webhook %s must have connectionInfo of type KubeConfigFile: this server is not in a cluster", name)
	}
	client, err := remote.Read(*c.ConnectionInfo.KubeConfigFile)
	if err != nil {
		return nil, err
	}
	if c.Timeout.Duration != 0 {
		client.Timeout = c.Timeout.Duration
	}
	made := webhook.Config{
		Now:             b.parts.Now,
		Name:            name,
		Client:          client,
		Version:         c.SubjectAccessReviewVersion,
		AuthorizedTTL:   orNone(c.AuthorizedTTL.Duration, c.CacheAuthorizedRequests),
		UnauthorizedTTL: orNone(c.UnauthorizedTTL.Duration, c.CacheUnauthorizedRequests),
	}
	if c.FailurePolicy == apiserver.FailurePolicyDeny {
		made.OnError = authz.Deny
	}
	matcher, errs := validation.ValidateAndCompileMatchConditions(b.compiler, c.MatchConditions)
	if len(errs) > 0 {
		return nil, errs.ToAggregate()
	}
	if matcher != nil {
		made.Match = matcher.Eval
	}
	return webhook.New(made)
}

func orNone(ttl time.Duration, keep bool) time.Duration {
	if !keep {
		return 0
	}
	return ttl
}
