package scheduler

import (
	"sync"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	podresource "k8s.io/component-helpers/resource"
)

// amounts of resources: cpu in thousandths, all others in units.
type amounts map[v1.ResourceName]int64

func amountsOf(list v1.ResourceList) amounts {
	a := make(amounts, len(list))
	for name, quantity := range list {
		if name == v1.ResourceCPU {
			a[name] = quantity.MilliValue()
		} else {
			a[name] = quantity.Value()
		}
	}
	return a
}

// demand is what a pod wants of a node.
type demand struct {
	pod *v1.Pod
	// requests are what the pod asks for.
	requests amounts
	// weight is the same, with an amount of cpu and memory assumed for containers that ask for none: otherwise all
	// of them would end up on one node.
	weight amounts
	ports  []hostPort
}

type hostPort struct {
	ip       string
	protocol v1.Protocol
	port     int32
}

// demandOf returns what pod wants. The assumed amounts are upstream's (pkg/scheduler/util/pod_resources.go).
func demandOf(pod *v1.Pod) demand {
	d := demand{
		pod:      pod,
		requests: amountsOf(podresource.PodRequests(pod, podresource.PodResourcesOptions{UseStatusResources: true})),
	}
	assumed := v1.ResourceList{v1.ResourceCPU: *milli(100), v1.ResourceMemory: *bytes(200 << 20)}
	d.weight = amountsOf(podresource.PodRequests(pod, podresource.PodResourcesOptions{
		UseStatusResources: true, NonMissingContainerRequests: assumed,
	}))
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			if port.HostPort > 0 {
				d.ports = append(d.ports, hostPort{ip: port.HostIP, protocol: port.Protocol, port: port.HostPort})
			}
		}
	}
	return d
}

// conflicts reports whether two pods cannot have these ports on one node. No address means every address.
func (p hostPort) conflicts(q hostPort) bool {
	any := func(ip string) bool { return ip == "" || ip == "0.0.0.0" || ip == "::" }
	return p.port == q.port && p.protocol == q.protocol && (p.ip == q.ip || any(p.ip) || any(q.ip))
}

// ledger knows what the pods on each node have asked for.
type ledger struct {
	mu    sync.Mutex // guards all below
	nodes map[string]*account
	pods  map[types.UID]string // where each pod is entered
}

// account is one node's page.
type account struct {
	pods     map[types.UID]demand
	requests amounts
	weight   amounts
}

func newLedger() *ledger {
	return &ledger{nodes: map[string]*account{}, pods: map[types.UID]string{}}
}

// add enters a pod that is, or is about to be, on node. It replaces an earlier entry.
func (l *ledger) add(pod *v1.Pod, node string) {
	d := demandOf(pod)
	d.pod = nil // the entry must not keep the object alive
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(pod.UID)
	a := l.nodes[node]
	if a == nil {
		a = &account{pods: map[types.UID]demand{}, requests: amounts{}, weight: amounts{}}
		l.nodes[node] = a
	}
	a.pods[pod.UID] = d
	a.requests.add(d.requests, 1)
	a.weight.add(d.weight, 1)
	l.pods[pod.UID] = node
}

// remove takes a pod out and reports whether it was there.
func (l *ledger) remove(pod types.UID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.drop(pod)
}

func (l *ledger) drop(pod types.UID) bool {
	node, ok := l.pods[pod]
	if !ok {
		return false
	}
	delete(l.pods, pod)
	a := l.nodes[node]
	a.requests.add(a.pods[pod].requests, -1)
	a.weight.add(a.pods[pod].weight, -1)
	delete(a.pods, pod)
	if len(a.pods) == 0 {
		delete(l.nodes, node)
	}
	return true
}

// has reports whether a pod is entered.
func (l *ledger) has(pod types.UID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.pods[pod]
	return ok
}

// view calls f with a node's page, which must not leave f. The page of a node without pods is empty.
func (l *ledger) view(node string, f func(*account)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.nodes[node]
	if a == nil {
		a = &account{}
	}
	f(a)
}

func (a amounts) add(b amounts, sign int64) {
	for name, n := range b {
		a[name] += sign * n
	}
}
