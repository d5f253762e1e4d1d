package pki

import (
	"crypto/x509"
	"net"
	"slices"
	"time"
)

const (
	authorityLifetime = 10 * 365 * 24 * time.Hour
	leafLifetime      = 365 * 24 * time.Hour
	// renewBefore is how long before its end a certificate is issued again: in the last fifth of its life at most.
	renewBefore = 30 * 24 * time.Hour
	// skew is how far a certificate's beginning lies back, for clients whose clock is behind.
	skew = 5 * time.Minute
)

// The files of an authority or a certificate are these names with .crt and .key.
const (
	clusterCA     = "ca"
	frontProxyCA  = "front-proxy-ca"
	serving       = "apiserver"
	kubeletClient = "apiserver-kubelet-client"
	proxyClient   = "front-proxy-client"
	etcdCA        = "etcd/ca"
	etcdServer    = "etcd/server"
	etcdPeer      = "etcd/peer"
	etcdHealth    = "etcd/healthcheck-client"
	etcdClient    = "apiserver-etcd-client"
)

// etcdNode is what kubeadm would have the node's name for: there, etcd runs on a node of that name.
const etcdNode = "coracle"

// profile says what a certificate certifies.
type profile struct {
	commonName   string
	organization []string
	usages       []x509.ExtKeyUsage
	names        []string
	ips          []net.IP
	lifetime     time.Duration // 0: leafLifetime
}

var (
	clientAuth = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	serverAuth = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	// bothAuth is etcd's servers': its gRPC gateway, in the same process, is a client with the same certificate.
	bothAuth = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
)

// authorities is the table of authorities: their files' names, and their own.
var authorities = []struct{ name, commonName string }{
	{clusterCA, "kubernetes"}, {frontProxyCA, "front-proxy-ca"}, {etcdCA, "etcd-ca"},
}

// leaf is one row of the table of certificates that a control plane has.
type leaf struct {
	name      string
	authority string
	profile   profile
}

// leaves is the table. Subjects and usages are kubeadm's (cmd/kubeadm/app/phases/certs/certlist.go, v1.37): the API
// server, when it calls a kubelet, has no group any more; a ClusterRoleBinding names it.
//
// The first three are in use as long as a server runs.
func leaves(o Options) []leaf {
	names, ips, service := o.ServerNames, o.ServerIPs, o.ServiceIP
	if service == nil {
		service = net.IPv4(10, 96, 0, 1)
	}
	etcdNames := union([]string{etcdNode, "localhost"}, names)
	etcdIPs := unionIPs([]net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}, ips)
	return []leaf{
		{serving, clusterCA, profile{
			commonName: "kube-apiserver",
			usages:     serverAuth,
			names:      union([]string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost"}, names),
			ips:        unionIPs([]net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback, service}, ips),
		}},
		{kubeletClient, clusterCA, profile{commonName: "kube-apiserver-kubelet-client", usages: clientAuth}},
		{proxyClient, frontProxyCA, profile{commonName: "front-proxy-client", usages: clientAuth}},
		{etcdServer, etcdCA, profile{commonName: etcdNode, usages: bothAuth, names: etcdNames, ips: etcdIPs}},
		{etcdPeer, etcdCA, profile{commonName: etcdNode, usages: bothAuth, names: etcdNames, ips: etcdIPs}},
		{etcdHealth, etcdCA, profile{commonName: "kube-etcd-healthcheck-client", usages: clientAuth}},
		{etcdClient, etcdCA, profile{commonName: "kube-apiserver-etcd-client", usages: clientAuth}},
	}
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

func unionIPs(a, b []net.IP) []net.IP {
	all := slices.Clone(a)
	for _, ip := range b {
		if !containsIP(all, ip) {
			all = append(all, ip)
		}
	}
	return all
}

func containsIP(ips []net.IP, ip net.IP) bool {
	return slices.ContainsFunc(ips, ip.Equal)
}

// stale says why a certificate must be issued again, or "" when it is good as it is.
func (p profile) stale(c *x509.Certificate, now time.Time) string {
	// Those that live for minutes, in a lesson, are not replaced before anybody has seen them end.
	early := min(renewBefore, c.NotAfter.Sub(c.NotBefore)/5)
	if now.Add(early).After(c.NotAfter) {
		return "it ends soon"
	}
	for _, n := range p.names {
		if !slices.Contains(c.DNSNames, n) {
			return "it does not name " + n
		}
	}
	for _, ip := range p.ips {
		if !containsIP(c.IPAddresses, ip) {
			return "it does not name " + ip.String()
		}
	}
	return ""
}
