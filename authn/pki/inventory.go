package pki

import (
	"crypto/x509"
	"path/filepath"
	"slices"
	"time"
)

// Item is a certificate of a cluster, or a pair of keys, as people are told of it.
type Item struct {
	Name     string    `json:"name"`
	File     string    `json:"file"`
	Subject  string    `json:"subject,omitempty"`
	Names    []string  `json:"names,omitempty"`  // host names and IP addresses
	Usages   []string  `json:"usages,omitempty"` // ca, server, client
	NotAfter time.Time `json:"notAfter,omitzero"`
	DaysLeft int       `json:"daysLeft"`
	// Presented says who shows it to whom; Without, what no longer works when it is missing or wrong.
	Presented string `json:"presented"`
	Without   string `json:"without"`
	Stage     Stage  `json:"stage,omitempty"`   // of an authority, or of keys
	Problem   string `json:"problem,omitempty"` // what is wrong with it, in a sentence
	Items     []Item `json:"items,omitempty"`   // what an authority signed
}

// roles says of each name who shows it to whom, and what breaks without it.
func roles(name string) (presented, without string) {
	switch name {
	case clusterCA:
		return "everybody trusts it: kubeconfigs, pods (ca.crt), the API server for its clients", "nobody trusts the server, and no client certificate is taken"
	case serving:
		return "the API server, to every client", "clients refuse the server: certificate signed by unknown authority"
	case kubeletClient:
		return "the API server, to kubelets", "kubectl logs, exec and port-forward are refused by kubelets"
	case frontProxyCA:
		return "aggregated API servers trust it, and the API server for proxies before it", "nobody is believed who says who asks"
	case proxyClient:
		return "the API server, to aggregated API servers", "aggregated APIs answer 401"
	case etcdCA:
		return "etcd's members and clients trust it", "etcd's members do not talk to each other or to the API server"
	case etcdServer:
		return "etcd, to its clients", "the API server refuses etcd"
	case etcdPeer:
		return "etcd's members, to each other", "a member cannot join the others"
	case etcdHealth:
		return "liveness probes, to etcd", "etcd looks dead, and is started again"
	case etcdClient:
		return "the API server, to etcd", "etcd refuses the API server"
	case "sa":
		return "the token controller and TokenRequest sign with it; pods show the tokens", "no token of a service account is taken"
	case "admin.conf":
		return "kubectl of the administrator, to the API server", "the administrator is locked out (super-admin.conf helps)"
	case "super-admin.conf":
		return "kubectl in an emergency, above RBAC, to the API server", "there is no way in past a broken RBAC policy"
	case "controller-manager.conf":
		return "the controllers, to the API server", "no controller works: no pods of Deployments, no tokens"
	case "scheduler.conf":
		return "the scheduler, to the API server", "new pods stay Pending"
	}
	switch filepath.Base(name) {
	case "kubelet.conf", "kubelet-client":
		return "that node's kubelet, to the API server", "the node goes NotReady, and its pods are not run"
	case "kubelet-server":
		return "that node's kubelet, to the API server that calls it", "kubectl logs, exec and port-forward end with a TLS error"
	}
	return "its owner, to the API server", "its owner is locked out"
}

// Inventory lists what a cluster has: each authority with what it signed, then the keys of tokens. What is broken is
// listed with its problem.
func (r Rotation) Inventory() ([]Item, error) {
	r.setDefaults()
	now := r.Now()
	d, err := existingDirectory(r.Dir)
	if err != nil {
		return nil, err
	}
	defer d.close()
	var all []Item
	for _, row := range authorities {
		root, pair := d.item(row.name, now)
		var a *Authority
		if pair != nil {
			a = newAuthority(row.name, pair, nil)
			if root.Stage, _, err = d.stage(a); err != nil {
				root.Problem = err.Error()
			}
			if pair.Key == nil {
				root.Without += "; its key is kept elsewhere, so that nothing can be issued here"
			}
		}
		for _, leaf := range leaves(Options{}) {
			if leaf.authority == row.name {
				item, pair := d.item(leaf.name, now)
				item.judge(a, pair)
				root.Items = append(root.Items, item)
			}
		}
		if row.name == clusterCA {
			for _, path := range r.Kubeconfigs {
				if item, file := kubeconfigItem(path, a, now); !slices.Contains(r.NodeFiles, file) {
					root.Items = append(root.Items, item)
				}
			}
			for _, path := range r.NodeFiles {
				root.Items = append(root.Items, nodeFileItem(path, a, now))
			}
		}
		all = append(all, root)
	}
	keys := Item{Name: "sa", File: d.path("sa.key")}
	keys.Presented, keys.Without = roles("sa")
	p := &PKI{dir: d}
	if h, err := p.accountKeyHeld(); err != nil {
		keys.Problem = err.Error()
	} else if keys.Stage, _, err = d.keyStage(h); err != nil {
		keys.Problem = err.Error()
	}
	return append(all, keys), nil
}

func (d *directory) item(name string, now time.Time) (Item, *Pair) {
	item := Item{Name: name, File: d.path(name + ".crt")}
	item.Presented, item.Without = roles(name)
	pair, err := d.peekPair(name)
	if err != nil {
		item.Problem = err.Error()
		return item, nil
	}
	item.describe(pair.Cert, now)
	return item, pair
}

// kubeconfigItem is the row of a kubeconfig; file is where its certificate is, if that is in another file.
func kubeconfigItem(path string, by *Authority, now time.Time) (item Item, file string) {
	item = Item{Name: KubeconfigName(path), File: path}
	item.Presented, item.Without = roles(item.Name)
	conf, err := readKubeconfig(path)
	if err != nil {
		item.Problem = err.Error()
		return item, ""
	}
	certs, file, err := conf.chain()
	switch {
	case err != nil:
		item.Problem = err.Error()
	case certs == nil:
		item.Presented += "; no certificate"
	default:
		item.describe(certs[0], now)
		item.judge(by, &Pair{Cert: certs[0]})
	}
	return item, file
}

// judge says what is wrong with it as that authority's.
func (i *Item) judge(by *Authority, pair *Pair) {
	if i.Problem == "" && by != nil && pair != nil && !by.Signed(pair.Cert) {
		i.Problem = "it is not signed by " + by.name
	}
}

// describe fills in what the certificate says.
func (i *Item) describe(c *x509.Certificate, now time.Time) {
	i.Subject, i.NotAfter = c.Subject.String(), c.NotAfter
	i.Names, i.Usages = Names(c), Usages(c)
	i.DaysLeft = int(c.NotAfter.Sub(now) / (24 * time.Hour))
	switch {
	case now.After(c.NotAfter):
		i.Problem = "it expired on " + c.NotAfter.UTC().Format(time.RFC3339)
	case now.Before(c.NotBefore):
		i.Problem = "it is not valid before " + c.NotBefore.UTC().Format(time.RFC3339)
	}
}

// Names are the host names and IP addresses that a certificate is for.
func Names(c *x509.Certificate) []string {
	if c.IsCA {
		return nil
	}
	names := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// Usages are what a certificate may be used for.
func Usages(c *x509.Certificate) []string {
	var all []string
	if c.IsCA {
		all = append(all, "ca")
	}
	for _, u := range c.ExtKeyUsage {
		switch u {
		case x509.ExtKeyUsageServerAuth:
			all = append(all, "server")
		case x509.ExtKeyUsageClientAuth:
			all = append(all, "client")
		case x509.ExtKeyUsageAny:
			all = append(all, "any")
		default:
			all = append(all, "other")
		}
	}
	return all
}
