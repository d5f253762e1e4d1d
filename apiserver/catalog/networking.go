package catalog

import (
	networkingv1 "k8s.io/api/networking/v1"
)

func networkingKinds() []*Kind {
	gv := networkingv1.SchemeGroupVersion
	return []*Kind{
		row[networkingv1.IngressClass, networkingv1.IngressClassList](gv, Kind{
			Resource: "ingressclasses",
		}),
		row[networkingv1.Ingress, networkingv1.IngressList](gv, Kind{
			Resource:     "ingresses",
			ShortNames:   []string{"ing"},
			Namespaced:   true,
			Subresources: onlyStatus(),
		}),
		row[networkingv1.IPAddress, networkingv1.IPAddressList](gv, Kind{
			Resource:   "ipaddresses",
			ShortNames: []string{"ip"},
		}),
		row[networkingv1.NetworkPolicy, networkingv1.NetworkPolicyList](gv, Kind{
			Resource:   "networkpolicies",
			ShortNames: []string{"netpol"},
			Namespaced: true,
		}),
		row[networkingv1.ServiceCIDR, networkingv1.ServiceCIDRList](gv, Kind{
			Resource:     "servicecidrs",
			Subresources: onlyStatus(),
		}),
	}
}
