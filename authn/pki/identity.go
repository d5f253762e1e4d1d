package pki

import "crypto/tls"

// Identity is who a client certificate says its bearer is.
type Identity struct {
	User   string   // the subject's common name
	Groups []string // its organizations
}

// The identities of a cluster's own parts, as kubeadm hands them out.

// Admin may do everything, through the ClusterRoleBinding kubeadm:cluster-admins, which can be taken away.
func Admin() Identity {
	return Identity{User: "kubernetes-admin", Groups: []string{"kubeadm:cluster-admins"}}
}

// SuperAdmin is above RBAC: for when somebody has locked everybody out.
func SuperAdmin() Identity {
	return Identity{User: "kubernetes-super-admin", Groups: []string{"system:masters"}}
}

// ControllerManager is the kube-controller-manager's.
func ControllerManager() Identity { return Identity{User: "system:kube-controller-manager"} }

// Scheduler is the kube-scheduler's.
func Scheduler() Identity { return Identity{User: "system:kube-scheduler"} }

// Node is the kubelet's on that node.
func Node(name string) Identity {
	return Identity{User: "system:node:" + name, Groups: []string{"system:nodes"}}
}

func (id Identity) profile() profile {
	return profile{commonName: id.User, organization: id.Groups, usages: clientAuth}
}

// ClientCertificate issues a client certificate for the identity, good for a year. It is kept in memory alone; a
// certificate that lives on is in a kubeconfig, see Kubeconfig.
func (p *PKI) ClientCertificate(id Identity) (tls.Certificate, error) {
	pair, err := p.Authority().issuePair(id.profile())
	if err != nil {
		return tls.Certificate{}, err
	}
	return pair.TLS(), nil
}
