package kubeletsim

import (
	"fmt"
	"net/netip"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// addresses hands out the node's pod addresses, each used again as late as possible.
type addresses struct {
	prefix netip.Prefix

	mu   sync.Mutex // guards all below
	used map[netip.Addr]types.UID
	next netip.Addr
}

// newAddresses leaves out the network's own address and the gateway's.
func newAddresses(cidr string) (*addresses, error) {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return nil, fmt.Errorf("pod CIDR: %w", err)
	}
	prefix = prefix.Masked()
	a := &addresses{prefix: prefix, used: map[netip.Addr]types.UID{}}
	a.next = a.first()
	if !prefix.Contains(a.next) {
		return nil, fmt.Errorf("pod CIDR %s has no room for a pod", cidr)
	}
	return a, nil
}

func (a *addresses) first() netip.Addr { return a.prefix.Addr().Next().Next() }

// reserve keeps for a pod the address that it has.
func (a *addresses) reserve(pod types.UID, ip string) {
	addr, err := netip.ParseAddr(ip)
	if err != nil || !a.prefix.Contains(addr) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, taken := a.used[addr]; !taken {
		a.used[addr] = pod
	}
}

// take is the pod's address: the one that it has, or a free one.
func (a *addresses) take(pod types.UID) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for addr, owner := range a.used {
		if owner == pod {
			return addr.String(), nil
		}
	}
	addr := a.next
	for range len(a.used) + 1 {
		if !a.prefix.Contains(addr) {
			addr = a.first()
		}
		if _, taken := a.used[addr]; !taken {
			a.used[addr] = pod
			a.next = addr.Next()
			return addr.String(), nil
		}
		addr = addr.Next()
	}
	return "", fmt.Errorf("no IP addresses available in range set: %s", a.prefix)
}

// release gives back a pod's addresses.
func (a *addresses) release(pod types.UID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for addr, owner := range a.used {
		if owner == pod {
			delete(a.used, addr)
		}
	}
}
