package token

import (
	"context"
	"fmt"
	"strings"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/client-go/util/retry"
)

// reconcileAccount deletes the token Secrets of an account that is gone; in the classic era it sees to it that
// one that exists lists a token Secret.
func (c *Controller) reconcileAccount(ctx context.Context, key accountKey) error {
	account := c.cachedAccount(key.namespace, key.name, key.uid)
	if account == nil {
		return c.deleteSecretsOf(ctx, key)
	}
	if !c.config.MintForEveryAccount || account.DeletionTimestamp != nil || c.listsToken(account) {
		return nil
	}
	if secret := c.unlistedSecret(account); secret != nil {
		_, err := c.list(ctx, account, secret)
		return err
	}
	secret, err := c.makeSecret(ctx, account)
	if err != nil || secret == nil {
		return err
	}
	listed, err := c.list(ctx, account, secret)
	if err == nil && !listed {
		// The account was deleted, or came to have another. Nobody will ever know of this one.
		return c.deleteSecret(ctx, secret)
	}
	return err
}

// deleteSecretsOf deletes all token Secrets of an account that is gone.
func (c *Controller) deleteSecretsOf(ctx context.Context, key accountKey) error {
	c.names.forget(key.uid)
	gone := &v1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: key.namespace, Name: key.name, UID: key.uid}}
	for _, secret := range c.secretsOf(gone) {
		if err := c.deleteSecret(ctx, secret); err != nil {
			return err
		}
	}
	return nil
}

// secretsOf returns the token Secrets of this very account that the cache has.
func (c *Controller) secretsOf(account *v1.ServiceAccount) []*v1.Secret {
	objs, err := c.index.ByIndex(byAccount, account.Namespace+"/"+account.Name)
	if err != nil {
		return nil // there is no such index: New has said so
	}
	var secrets []*v1.Secret
	for _, obj := range objs {
		if secret, ok := obj.(*v1.Secret); ok && belongs(secret, account) {
			secrets = append(secrets, secret)
		}
	}
	return secrets
}

// listsToken reports whether account lists a token Secret of its own that exists.
func (c *Controller) listsToken(account *v1.ServiceAccount) bool {
	if name := c.names.of(account.UID); name != "" && lists(account, name) {
		return true
	}
	for _, secret := range c.secretsOf(account) {
		if lists(account, secret.Name) {
			return true
		}
	}
	return false
}

// unlistedSecret returns a Secret that was made for account but is not on its list: because the cached account is
// older than the Secret, or because the process ended in between. Without this rule a second Secret would be made,
// and a token be left about that nobody knows of.
func (c *Controller) unlistedSecret(account *v1.ServiceAccount) *v1.Secret {
	for _, secret := range c.secretsOf(account) {
		suffix, ours := strings.CutPrefix(secret.Name, baseName(account))
		if ours && len(suffix) == suffixLength && secret.DeletionTimestamp == nil {
			return secret
		}
	}
	return nil
}

// makeSecret makes a complete token Secret for account. However often it has to try, it makes only one: the name
// is chosen once. It returns nil if the namespace is being deleted.
func (c *Controller) makeSecret(ctx context.Context, account *v1.ServiceAccount) (*v1.Secret, error) {
	secret := &v1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: account.Namespace,
			Name:      c.names.choose(account),
			Annotations: map[string]string{
				v1.ServiceAccountNameKey: account.Name,
				v1.ServiceAccountUIDKey:  string(account.UID),
			},
		},
		Type: v1.SecretTypeServiceAccountToken,
		Data: map[string][]byte{v1.ServiceAccountNamespaceKey: []byte(account.Namespace)},
	}
	if ca := c.config.CA(); len(ca) > 0 {
		secret.Data[v1.ServiceAccountRootCAKey] = ca
	}
	token, err := c.config.Minter.Mint(account, secret)
	if err != nil {
		return nil, fmt.Errorf("mint a token for %s/%s: %w", account.Namespace, account.Name, err)
	}
	secret.Data[v1.ServiceAccountTokenKey] = []byte(token)

	made, err := c.client.CoreV1().Secrets(account.Namespace).Create(ctx, secret, metav1.CreateOptions{})
	switch {
	case apierrors.IsAlreadyExists(err):
		return c.earlierSecret(ctx, account, secret.Name)
	case apierrors.IsNotFound(err), apierrors.HasStatusCause(err, v1.NamespaceTerminatingCause):
		c.names.forget(account.UID)
		return nil, nil
	}
	return made, err
}

// earlierSecret returns the Secret that an earlier try made, whose answer was lost. Were it somebody else's, the
// next try would choose another name.
func (c *Controller) earlierSecret(ctx context.Context, account *v1.ServiceAccount, name string) (*v1.Secret, error) {
	secret, err := c.client.CoreV1().Secrets(account.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	if !belongs(secret, account) {
		c.names.forget(account.UID)
		return nil, fmt.Errorf("secret %s/%s exists and belongs to another", account.Namespace, name)
	}
	return secret, nil
}

// list puts secret onto account's list. It reports false if the account is gone or lists another token by now.
func (c *Controller) list(ctx context.Context, account *v1.ServiceAccount, secret *v1.Secret) (listed bool, err error) {
	accounts := c.client.CoreV1().ServiceAccounts(account.Namespace)
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		if listed = lists(account, secret.Name); listed {
			return nil
		}
		changed := account.DeepCopy()
		changed.Secrets = append(changed.Secrets, v1.ObjectReference{Name: secret.Name})
		_, err := accounts.Update(ctx, changed, metav1.UpdateOptions{})
		listed = err == nil
		if !apierrors.IsConflict(err) {
			return err
		}
		live, getErr := c.getAccount(ctx, account.Namespace, account.Name, account.UID)
		if getErr != nil || live == nil {
			return getErr
		}
		if !lists(live, secret.Name) && c.listsToken(live) {
			return nil
		}
		account = live
		return err
	})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return listed, err
}

// belongs reports whether secret is a token Secret of this very account, not of one that had its name before.
func belongs(secret *v1.Secret, account *v1.ServiceAccount) bool {
	return secret.Type == v1.SecretTypeServiceAccountToken &&
		secret.Annotations[v1.ServiceAccountNameKey] == account.Name &&
		secret.Annotations[v1.ServiceAccountUIDKey] == string(account.UID)
}

// suffixLength and maxBase are those of every name that Kubernetes generates.
const (
	suffixLength = 5
	maxBase      = 63 - suffixLength
)

// baseName is what all names of account's made Secrets begin with.
func baseName(account *v1.ServiceAccount) string {
	base := account.Name + "-token-"
	return base[:min(len(base), maxBase)]
}

func newName(account *v1.ServiceAccount) string { return baseName(account) + rand.String(suffixLength) }
