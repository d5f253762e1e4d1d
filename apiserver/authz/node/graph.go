package node

import (
	"slices"
	"sync"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Object names an object of the graph.
type Object struct {
	Resource  string // plural, as in rules
	Namespace string // "" for objects of the cluster
	Name      string
}

// Graph knows which objects lead to which node:
//
//	node <- pod <- secret, configmap, serviceaccount, resourceclaim
//	node <- pod <- persistentvolumeclaim <- persistentvolume <- secret
//	node <- volumeattachment, resourceslice, podcertificaterequest
//
// What leads to a node by way of a pod is entered together with the pod, so that a question is a look-up
// and not a search. Everything may be called at the same time from many goroutines.
type Graph struct {
	mu sync.RWMutex
	// bound are pods and other objects that name a node themselves, and what they need there.
	bound map[Object]binding
	// through says, for an object and a node, which bound objects connect them.
	through map[Object]map[string][]Object
	// volumes are persistent volumes that a claim has taken.
	volumes map[string]volume
	// volumesOf says which volumes need a secret.
	volumesOf map[Object][]string
}

type binding struct {
	node  string
	needs []Object
}

type volume struct {
	claim   Object
	secrets []Object
}

// NewGraph returns a graph without objects.
func NewGraph() *Graph {
	return &Graph{
		bound:     map[Object]binding{},
		through:   map[Object]map[string][]Object{},
		volumes:   map[string]volume{},
		volumesOf: map[Object][]string{},
	}
}

// Apply enters a new or changed Pod, PersistentVolume, VolumeAttachment, ResourceSlice or PodCertificateRequest.
// Objects of other kinds are passed over. It keeps nothing of the object but names.
func (g *Graph) Apply(obj runtime.Object) {
	switch o := obj.(type) {
	case *corev1.Pod:
		if o.Spec.NodeName != "" {
			g.bind(Object{"pods", o.Namespace, o.Name}, binding{o.Spec.NodeName, needsOf(o)})
		}
	case *storagev1.VolumeAttachment:
		g.bind(Object{"volumeattachments", "", o.Name}, binding{node: o.Spec.NodeName})
	case *resourcev1.ResourceSlice:
		if o.Spec.NodeName != nil {
			g.bind(Object{"resourceslices", "", o.Name}, binding{node: *o.Spec.NodeName})
		}
	case *certificatesv1.PodCertificateRequest:
		g.bind(Object{"podcertificaterequests", o.Namespace, o.Name}, binding{node: string(o.Spec.NodeName)})
	case *corev1.PersistentVolume:
		g.setVolume(o.Name, volumeOf(o))
	}
}

// Remove takes a deleted object out. Only its kind, namespace and name are looked at.
func (g *Graph) Remove(obj runtime.Object) {
	switch o := obj.(type) {
	case *corev1.Pod:
		g.bind(Object{"pods", o.Namespace, o.Name}, binding{})
	case *storagev1.VolumeAttachment:
		g.bind(Object{"volumeattachments", "", o.Name}, binding{})
	case *resourcev1.ResourceSlice:
		g.bind(Object{"resourceslices", "", o.Name}, binding{})
	case *certificatesv1.PodCertificateRequest:
		g.bind(Object{"podcertificaterequests", o.Namespace, o.Name}, binding{})
	case *corev1.PersistentVolume:
		g.setVolume(o.Name, volume{})
	}
}

// bind replaces what is known of an object that names a node; a binding without a node only removes.
func (g *Graph) bind(o Object, b binding) {
	g.mu.Lock()
	defer g.mu.Unlock()
	old := g.bound[o]
	if old.node == b.node && slices.Equal(old.needs, b.needs) {
		return // most updates of pods are of their status
	}
	if old.node != "" {
		for _, need := range append(old.needs, o) {
			g.disconnect(need, old.node, o)
		}
		delete(g.bound, o)
	}
	if b.node != "" {
		for _, need := range append(b.needs, o) {
			g.connect(need, b.node, o)
		}
		g.bound[o] = b
	}
}

func (g *Graph) connect(o Object, node string, by Object) {
	nodes := g.through[o]
	if nodes == nil {
		nodes = map[string][]Object{}
		g.through[o] = nodes
	}
	if !slices.Contains(nodes[node], by) {
		nodes[node] = append(nodes[node], by)
	}
}

func (g *Graph) disconnect(o Object, node string, by Object) {
	nodes := g.through[o]
	nodes[node] = slices.DeleteFunc(nodes[node], func(other Object) bool { return other == by })
	if len(nodes[node]) == 0 {
		delete(nodes, node)
	}
	if len(nodes) == 0 {
		delete(g.through, o)
	}
}

// setVolume replaces what is known of a persistent volume; a volume without a claim only removes.
func (g *Graph) setVolume(name string, v volume) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, secret := range g.volumes[name].secrets {
		rest := slices.DeleteFunc(g.volumesOf[secret], func(other string) bool { return other == name })
		if len(rest) == 0 {
			delete(g.volumesOf, secret)
		} else {
			g.volumesOf[secret] = rest
		}
	}
	delete(g.volumes, name)
	if v.claim.Name == "" {
		return
	}
	g.volumes[name] = v
	for _, secret := range v.secrets {
		g.volumesOf[secret] = append(g.volumesOf[secret], name)
	}
}

// Path returns the objects by which an object leads to a node, beginning with the object itself; nil when it does not.
func (g *Graph) Path(o Object, node string) []Object {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if by := g.through[o][node]; len(by) > 0 {
		if by[0] == o {
			return []Object{o}
		}
		return []Object{o, by[0]}
	}
	switch o.Resource {
	case "persistentvolumes":
		return g.pathOfVolume(o.Name, node)
	case "secrets":
		for _, name := range g.volumesOf[o] {
			if path := g.pathOfVolume(name, node); path != nil {
				return append([]Object{o}, path...)
			}
		}
	}
	return nil
}

func (g *Graph) pathOfVolume(name, node string) []Object {
	v, found := g.volumes[name]
	if !found {
		return nil
	}
	if by := g.through[v.claim][node]; len(by) > 0 {
		return []Object{{"persistentvolumes", "", name}, v.claim, by[0]}
	}
	return nil
}
