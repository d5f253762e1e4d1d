package token

import (
	"cmp"
	"context"
	"log/slog"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"coracle/controllers/loop"
)

// Minter signs tokens for token Secrets.
type Minter interface {
	// Mint returns a token that names account (namespace, name and UID) and secret (its name). It does not
	// expire. Secret may not have been stored yet: then it has no UID. Mint MUST NOT keep or change either.
	Mint(account *v1.ServiceAccount, secret *v1.Secret) (string, error)
}

// Config is what a Controller needs to know besides its client.
type Config struct {
	Minter Minter
	// CA returns the certificate authority that Secrets carry as ca.crt, PEM. When it changes, call CAChanged.
	CA func() []byte
	// MintForEveryAccount makes a Secret for each account that has none, as Kubernetes did until 1.23.
	MintForEveryAccount bool
}

// workers of either loop: signing a token costs a few dozen microseconds, storing it waits for the disk.
const workers = 5

// accountKey says which account is meant, not only by name: an account that was deleted and made anew is another.
type accountKey struct {
	namespace, name string
	uid             types.UID
}

// secretKey says which Secret, and which account it belonged to when it was last seen: once it is deleted there
// is nothing left to ask.
type secretKey struct {
	namespace, name string
	uid             types.UID
	account         string
	accountUID      types.UID // empty in a Secret made by hand, until it is filled in
}

// Controller keeps token Secrets and ServiceAccounts in step.
type Controller struct {
	config   Config
	client   kubernetes.Interface
	log      *slog.Logger
	accounts corelisters.ServiceAccountLister
	secrets  corelisters.SecretLister
	index    cache.Indexer // of secrets, by byAccount
	names    *names

	accountLoop *loop.Loop[accountKey]
	secretLoop  *loop.Loop[secretKey]
}

// New makes a controller. Call it before the factory starts.
func New(client kubernetes.Interface, factory informers.SharedInformerFactory, config Config, log *slog.Logger) *Controller {
	core := factory.Core().V1()
	secrets := core.Secrets().Informer()
	c := &Controller{
		config:   config,
		client:   client,
		log:      log.With("controller", "token"),
		accounts: core.ServiceAccounts().Lister(),
		secrets:  core.Secrets().Lister(),
		index:    secrets.GetIndexer(),
		names:    newNames(),
	}
	if err := secrets.AddIndexers(cache.Indexers{byAccount: accountOf}); err != nil {
		c.log.Warn("secrets cannot be indexed by account", "err", err)
	}
	c.accountLoop = loop.New("token-account", log, c.reconcileAccount)
	loop.Watch(c.accountLoop, core.ServiceAccounts().Informer(), func(old, account *v1.ServiceAccount) {
		if account == nil || (old != nil && old.UID != account.UID) {
			c.accountLoop.Add(keyOfAccount(old))
		}
		if account != nil {
			c.accountLoop.Add(keyOfAccount(account))
		}
	})
	loop.Need(c.accountLoop, secrets)

	c.secretLoop = loop.New("token-secret", log, c.reconcileSecret)
	loop.Watch(c.secretLoop, secrets, func(old, secret *v1.Secret) {
		if one := cmp.Or(secret, old); one.Type == v1.SecretTypeServiceAccountToken {
			key := keyOfSecret(one)
			c.names.seen(key.accountUID, key.name)
			c.secretLoop.Add(key)
		}
	})
	loop.Need(c.secretLoop, core.ServiceAccounts().Informer())
	return c
}

// Run runs the controller until ctx ends.
func (c *Controller) Run(ctx context.Context) error {
	return loop.RunAll(ctx,
		func(ctx context.Context) error { return c.accountLoop.Run(ctx, workers) },
		func(ctx context.Context) error { return c.secretLoop.Run(ctx, workers) },
	)
}

// CAChanged makes the controller read the CA again and put it into every token Secret. It does not wait for that.
func (c *Controller) CAChanged() {
	secrets, err := c.secrets.List(labels.Everything())
	if err != nil {
		return // the lister reads memory; there is no error to have
	}
	for _, secret := range secrets {
		if secret.Type == v1.SecretTypeServiceAccountToken {
			c.secretLoop.Add(keyOfSecret(secret))
		}
	}
}

func keyOfAccount(account *v1.ServiceAccount) accountKey {
	return accountKey{namespace: account.Namespace, name: account.Name, uid: account.UID}
}

func keyOfSecret(secret *v1.Secret) secretKey {
	return secretKey{
		namespace:  secret.Namespace,
		name:       secret.Name,
		uid:        secret.UID,
		account:    secret.Annotations[v1.ServiceAccountNameKey],
		accountUID: types.UID(secret.Annotations[v1.ServiceAccountUIDKey]),
	}
}

// byAccount is the index of token Secrets by "namespace/account".
const byAccount = "token-by-account"

func accountOf(obj any) ([]string, error) {
	secret, ok := obj.(*v1.Secret)
	if !ok || secret.Type != v1.SecretTypeServiceAccountToken {
		return nil, nil
	}
	return []string{secret.Namespace + "/" + secret.Annotations[v1.ServiceAccountNameKey]}, nil
}
