package endpoints_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"coracle/controllers/endpoints"
	"coracle/controllers/looptest"
)

var web = map[string]string{"app": "web"}

func service(change ...func(*v1.Service)) *v1.Service {
	s := &v1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", Labels: map[string]string{"team": "blue"}},
		Spec: v1.ServiceSpec{
			Selector: web, ClusterIP: "10.96.0.9", IPFamilies: []v1.IPFamily{v1.IPv4Protocol},
			Ports: []v1.ServicePort{{Name: "http", Port: 80, Protocol: v1.ProtocolTCP, TargetPort: intstr.FromString("http")}},
		},
	}
	for _, c := range change {
		c(s)
	}
	return s
}

func pod(n int, change ...func(*v1.Pod)) *v1.Pod {
	name, ip := fmt.Sprintf("web-%d", n), fmt.Sprintf("10.244.%d.%d", n/256, n%256)
	p := &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID(name), Labels: web},
		Spec: v1.PodSpec{NodeName: "node-1", Containers: []v1.Container{{
			Name: "c", Ports: []v1.ContainerPort{{Name: "http", ContainerPort: 8080, Protocol: v1.ProtocolTCP}},
		}}},
		Status: v1.PodStatus{
			Phase: v1.PodRunning, PodIP: ip, PodIPs: []v1.PodIP{{IP: ip}},
			Conditions: []v1.PodCondition{{Type: v1.PodReady, Status: v1.ConditionTrue}},
		},
	}
	for _, c := range change {
		c(p)
	}
	return p
}

func notReady(p *v1.Pod) { p.Status.Conditions[0].Status = v1.ConditionFalse }
func ended(p *v1.Pod)    { p.Status.Phase = v1.PodSucceeded }
func noIP(p *v1.Pod)     { p.Status.PodIP, p.Status.PodIPs = "", nil }
func other(p *v1.Pod)    { p.Labels = map[string]string{"app": "db"} }
func lost(p *v1.Pod)     { p.Spec.NodeName = "node-9" }
func ending(p *v1.Pod) {
	p.Finalizers, p.DeletionTimestamp = []string{"example.com/slow"}, new(metav1.Now())
}
func port(n int32) func(*v1.Pod) {
	return func(p *v1.Pod) { p.Spec.Containers[0].Ports[0].ContainerPort = n }
}

func node() *v1.Node {
	return &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1", Labels: map[string]string{v1.LabelTopologyZone: "harbour"}}}
}

func start(w *looptest.World) {
	w.Start(endpoints.New(endpoints.Clients{Slices: w.Client, Endpoints: w.Client, Mirror: w.Client}, w.Factory, w.Log))
}

// slicesOf are the slices as MANAGER PORTS: NAME=ADDRESS(what is true) ..., sorted.
func slicesOf(t *testing.T, w *looptest.World) string {
	t.Helper()
	list, err := w.Client.DiscoveryV1().EndpointSlices("default").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, s := range list.Items {
		manager, _, _ := strings.Cut(s.Labels[discoveryv1.LabelManagedBy], "-")
		line := manager
		for _, p := range s.Ports {
			line += fmt.Sprintf(" %s/%d", *p.Name, *p.Port)
		}
		line += ":"
		for _, e := range s.Endpoints {
			line += " " + e.Addresses[0] + "("
			for name, is := range map[string]*bool{"r": e.Conditions.Ready} {
				if is != nil && *is {
					line += name
				}
			}
			if e.Conditions.Serving != nil && *e.Conditions.Serving {
				line += "s"
			}
			if e.Conditions.Terminating != nil && *e.Conditions.Terminating {
				line += "t"
			}
			line += ")"
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// endpointsOf are the Endpoints as PORTS: ready | not ready.
func endpointsOf(t *testing.T, w *looptest.World) string {
	t.Helper()
	list, err := w.Client.CoreV1().Endpoints("default").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, e := range list.Items {
		for _, s := range e.Subsets {
			line := ""
			for _, p := range s.Ports {
				line += fmt.Sprintf("%s/%d ", p.Name, p.Port)
			}
			for _, a := range s.Addresses {
				line += a.IP + " "
			}
			line += "|"
			for _, a := range s.NotReadyAddresses {
				line += " " + a.IP
			}
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func TestController(t *testing.T) {
	tests := []struct {
		name      string
		objects   []runtime.Object
		slices    string
		endpoints string
	}{
		{"pods are listed by address, with what is true of them",
			[]runtime.Object{service(), node(), pod(2, notReady), pod(1), pod(3, ending), pod(4, ended), pod(5, noIP), pod(6, other), pod(7, lost)},
			"endpointslice http/8080: 10.244.0.1(rs) 10.244.0.2() 10.244.0.3(st)",
			"http/8080 10.244.0.1 10.244.0.7 | 10.244.0.2"},
		{"a named port has the number that it has in each pod",
			[]runtime.Object{service(), node(), pod(1), pod(2, port(9090))},
			"endpointslice http/8080: 10.244.0.1(rs)\nendpointslice http/9090: 10.244.0.2(rs)",
			"http/8080 10.244.0.1 |\nhttp/9090 10.244.0.2 |"},
		{"without pods there is a slice to say so", []runtime.Object{service(), node()}, "endpointslice:", ""},
		{"a service that publishes what is not ready calls it ready",
			[]runtime.Object{service(func(s *v1.Service) { s.Spec.PublishNotReadyAddresses = true }), node(), pod(1, notReady)},
			"endpointslice http/8080: 10.244.0.1(r)", "http/8080 10.244.0.1 |"},
		{"one without a selector is left to people", []runtime.Object{service(func(s *v1.Service) { s.Spec.Selector = nil }), node(), pod(1)}, "", ""},
		{"one that is a name elsewhere has none", []runtime.Object{service(func(s *v1.Service) { s.Spec.Type = v1.ServiceTypeExternalName }), node(), pod(1)}, "", ""},
		{"a headless one may have no ports",
			[]runtime.Object{service(func(s *v1.Service) { s.Spec.Ports, s.Spec.ClusterIP = nil, v1.ClusterIPNone }), node(), pod(1)},
			"endpointslice: 10.244.0.1(rs)", "10.244.0.1 |"},
		{"what people made by hand is mirrored",
			[]runtime.Object{service(func(s *v1.Service) { s.Spec.Selector = nil }), &v1.Endpoints{
				ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"},
				Subsets: []v1.EndpointSubset{{
					Addresses: []v1.EndpointAddress{{IP: "192.0.2.1"}}, NotReadyAddresses: []v1.EndpointAddress{{IP: "192.0.2.2"}},
					Ports: []v1.EndpointPort{{Name: "db", Port: 5432}},
				}},
			}},
			"endpointslicemirroring db/5432: 192.0.2.1(r) 192.0.2.2()", "db/5432 192.0.2.1 | 192.0.2.2"},
		{"what people made by hand before its service stays",
			[]runtime.Object{&v1.Endpoints{
				ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"},
				Subsets:    []v1.EndpointSubset{{Addresses: []v1.EndpointAddress{{IP: "192.0.2.1"}}}},
			}}, "", "192.0.2.1 |"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			looptest.Run(t, test.objects, func(t *testing.T, w *looptest.World) {
				start(w)
				if got := slicesOf(t, w); got != test.slices {
					t.Errorf("slices:\n%s\nwant:\n%s", got, test.slices)
				}
				if got := endpointsOf(t, w); got != test.endpoints {
					t.Errorf("endpoints:\n%s\nwant:\n%s", got, test.endpoints)
				}
			})
		})
	}
}

func TestSliceSize(t *testing.T) {
	objects := []runtime.Object{service(), node()}
	for n := range 250 {
		objects = append(objects, pod(n))
	}
	looptest.Run(t, objects, func(t *testing.T, w *looptest.World) {
		start(w)
		sizes := func() []int {
			list, err := w.Client.DiscoveryV1().EndpointSlices("default").List(t.Context(), metav1.ListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			var sizes []int
			for _, s := range list.Items {
				sizes = append(sizes, len(s.Endpoints))
			}
			slices.Sort(sizes)
			return sizes
		}
		if got := sizes(); !slices.Equal(got, []int{50, 100, 100}) {
			t.Errorf("slices of %v", got)
		}
		w.Client.ClearActions()
		if err := w.Client.CoreV1().Pods("default").Delete(t.Context(), "web-7", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		w.Settle()
		if got := sizes(); !slices.Equal(got, []int{50, 99, 100}) {
			t.Errorf("after a pod has gone: slices of %v", got)
		}
		updates := 0
		for _, a := range w.Client.Actions() {
			if a.GetVerb() == "update" && a.GetResource().Resource == "endpointslices" {
				updates++
			}
		}
		if updates != 1 {
			t.Errorf("%d slices were written when one pod went", updates)
		}
	})
}

func TestDeletedService(t *testing.T) {
	looptest.Run(t, []runtime.Object{service(), node(), pod(1)}, func(t *testing.T, w *looptest.World) {
		start(w)
		if err := w.Client.CoreV1().Services("default").Delete(t.Context(), "web", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		w.Settle()
		if got := endpointsOf(t, w); got != "" {
			t.Errorf("endpoints %s", got)
		}
	})
}
