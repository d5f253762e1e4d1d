package token

import (
	"sync"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// names remembers what the Secrets that are being made are called, by the UID of their account, from before they
// are made until the informer has seen them. The informer's cache is behind the API server, and an answer may be lost;
// a name that is chosen once makes creation repeatable.
type names struct {
	mu        sync.Mutex // guards byAccount
	byAccount map[types.UID]string
}

func newNames() *names { return &names{byAccount: map[types.UID]string{}} }

// of returns the name of account's Secret that is being made, empty if there is none.
func (n *names) of(account types.UID) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.byAccount[account]
}

// choose returns the name for account's Secret, the same until it is seen or forgotten.
func (n *names) choose(account *v1.ServiceAccount) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	name := n.byAccount[account.UID]
	if name == "" {
		name = newName(account)
		n.byAccount[account.UID] = name
	}
	return name
}

// seen tells that the informer knows the Secret of that name, or knows of its end.
func (n *names) seen(account types.UID, name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.byAccount[account] == name {
		delete(n.byAccount, account)
	}
}

func (n *names) forget(account types.UID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.byAccount, account)
}
