package token

import (
	"bytes"
	"context"
	"slices"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
)

// reconcileSecret fills in a token Secret, deletes one without an account, or takes a deleted one off its
// account's list.
func (c *Controller) reconcileSecret(ctx context.Context, key secretKey) error {
	if key.account == "" {
		return nil // the API server refuses such a Secret
	}
	secret, err := c.secrets.Secrets(key.namespace).Get(key.name)
	switch {
	case err != nil && !apierrors.IsNotFound(err):
		return err
	case err != nil || secret.UID != key.uid:
		return c.forgetSecret(ctx, key)
	}
	// The account may be newer than the cache, for instance if both came with one kubectl apply. Deleting its
	// Secret cannot be undone, so ask before.
	account, err := c.liveAccount(ctx, key.namespace, key.account, key.accountUID)
	switch {
	case err != nil:
		return err
	case account == nil:
		return c.deleteSecret(ctx, secret)
	}
	return c.fill(ctx, account, secret)
}

// fill gives secret what it lacks. It writes on top of the version that was looked at: who was faster makes it
// a conflict, and the event of theirs brings the key back.
func (c *Controller) fill(ctx context.Context, account *v1.ServiceAccount, secret *v1.Secret) error {
	ca := c.config.CA()
	if len(ca) == 0 {
		ca = secret.Data[v1.ServiceAccountRootCAKey]
	}
	hasCA := bytes.Equal(secret.Data[v1.ServiceAccountRootCAKey], ca)
	hasNamespace := len(secret.Data[v1.ServiceAccountNamespaceKey]) > 0
	hasToken := len(secret.Data[v1.ServiceAccountTokenKey]) > 0
	if hasCA && hasNamespace && hasToken {
		return nil
	}
	secret = secret.DeepCopy()
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	if !hasCA {
		secret.Data[v1.ServiceAccountRootCAKey] = ca
	}
	if !hasNamespace {
		secret.Data[v1.ServiceAccountNamespaceKey] = []byte(secret.Namespace)
	}
	if !hasToken {
		token, err := c.config.Minter.Mint(account, secret)
		if err != nil {
			return err
		}
		secret.Data[v1.ServiceAccountTokenKey] = []byte(token)
	}
	metav1.SetMetaDataAnnotation(&secret.ObjectMeta, v1.ServiceAccountNameKey, account.Name)
	metav1.SetMetaDataAnnotation(&secret.ObjectMeta, v1.ServiceAccountUIDKey, string(account.UID))
	_, err := c.client.CoreV1().Secrets(secret.Namespace).Update(ctx, secret, metav1.UpdateOptions{})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// forgetSecret takes a Secret that is gone off its account's list.
func (c *Controller) forgetSecret(ctx context.Context, key secretKey) error {
	account := c.cachedAccount(key.namespace, key.account, key.accountUID)
	if account == nil {
		return nil // the list went with its account
	}
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		if !lists(account, key.name) {
			return nil
		}
		account = account.DeepCopy()
		account.Secrets = slices.DeleteFunc(account.Secrets, func(r v1.ObjectReference) bool { return r.Name == key.name })
		accounts := c.client.CoreV1().ServiceAccounts(key.namespace)
		_, err := accounts.Update(ctx, account, metav1.UpdateOptions{})
		if apierrors.IsConflict(err) {
			// The next try works on what is stored now, if that is still the same account.
			live, getErr := c.getAccount(ctx, key.namespace, key.account, account.UID)
			if getErr != nil || live == nil {
				return getErr
			}
			account = live
		}
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	})
}

// deleteSecret deletes this Secret, not another of the same name.
func (c *Controller) deleteSecret(ctx context.Context, secret *v1.Secret) error {
	opts := metav1.DeleteOptions{}
	if secret.UID != "" {
		opts.Preconditions = metav1.NewUIDPreconditions(string(secret.UID))
	}
	err := c.client.CoreV1().Secrets(secret.Namespace).Delete(ctx, secret.Name, opts)
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // gone, or another by now
	}
	return err
}

// liveAccount returns the account from the cache or, when it is not there, from the API server; nil if neither has
// one of that UID. An empty uid matches any.
func (c *Controller) liveAccount(ctx context.Context, namespace, name string, uid types.UID) (*v1.ServiceAccount, error) {
	if account := c.cachedAccount(namespace, name, uid); account != nil {
		return account, nil
	}
	return c.getAccount(ctx, namespace, name, uid)
}

func (c *Controller) cachedAccount(namespace, name string, uid types.UID) *v1.ServiceAccount {
	account, err := c.accounts.ServiceAccounts(namespace).Get(name)
	if err != nil || (uid != "" && account.UID != uid) {
		return nil
	}
	return account
}

func (c *Controller) getAccount(ctx context.Context, namespace, name string, uid types.UID) (*v1.ServiceAccount, error) {
	account, err := c.client.CoreV1().ServiceAccounts(namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, err
	case uid != "" && account.UID != uid:
		return nil, nil
	}
	return account, nil
}

// lists reports whether account names a Secret of that name.
func lists(account *v1.ServiceAccount, name string) bool {
	return slices.ContainsFunc(account.Secrets, func(r v1.ObjectReference) bool { return r.Name == name })
}
