package kubeletsim

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coracle/kubelet-sim/env"
	"coracle/kubelet-sim/status"
	"coracle/kubelet-sim/volume"
)

// launch makes a container's root directory and starts its process.
func (w *worker) launch(ctx context.Context, pod *corev1.Pod, spec *corev1.Container, c *container) *failure {
	environment, mounts, failed := w.surroundings(ctx, pod, spec)
	if failed != nil {
		return failed
	}
	restarts := int32(0)
	if c.end() != nil {
		restarts = c.status.RestartCount + 1
	}
	if err := w.n.disk.Rootfs(pod.UID, spec.Name, baseFiles(pod, w.self(pod).PodIP), mounts); err != nil {
		return &failure{reason: "CreateContainerError", message: err.Error()}
	}
	if err := w.n.disk.Link(pod.Namespace, pod.Name, pod.UID, spec.Name); err != nil {
		return &failure{reason: "CreateContainerError", message: err.Error()}
	}
	w.n.events.pod(pod, spec.Name, corev1.EventTypeNormal, "Created", "Container created")

	now := w.n.now()
	id := newContainerID()
	p := Process{ID: id, Pod: pod, Container: spec, Mounts: mounts, StartedAt: now}
	if failed := w.begin(ctx, p, c, environment, restarts); failed != nil {
		return failed
	}
	c.status = status.Started(pod, spec, c.status, id, restarts, now)
	w.n.events.pod(pod, spec.Name, corev1.EventTypeNormal, "Started", "Container started")
	return nil
}

// resume lets a process go on that an earlier run of the kubelet started.
func (w *worker) resume(ctx context.Context, pod *corev1.Pod, spec *corev1.Container, c *container) *failure {
	environment, mounts, failed := w.surroundings(ctx, pod, spec)
	if failed != nil {
		// A Secret may be gone since; the process has what it needed.
		w.n.log.Warn("a container goes on without its environment", "pod", pod.Name, "namespace", pod.Namespace, "container", spec.Name, "err", failed.message)
	} else if !w.n.disk.HasRootfs(pod.UID, spec.Name) {
		if err := w.n.disk.Rootfs(pod.UID, spec.Name, baseFiles(pod, w.self(pod).PodIP), mounts); err != nil {
			w.n.log.Warn("cannot make a container's root directory again", "container", spec.Name, "err", err)
		}
	}
	if err := w.n.disk.Link(pod.Namespace, pod.Name, pod.UID, spec.Name); err != nil {
		return &failure{message: err.Error()}
	}
	return w.begin(ctx, Process{
		ID:  strings.TrimPrefix(c.status.ContainerID, status.Runtime+"://"),
		Pod: pod, Container: spec, Mounts: mounts,
		StartedAt: c.status.State.Running.StartedAt.Time, Resumed: true,
	}, c, environment, c.status.RestartCount)
}

// surroundings are a container's environment and mounts.
func (w *worker) surroundings(ctx context.Context, pod *corev1.Pod, spec *corev1.Container) (env.Env, []volume.Mount, *failure) {
	services, err := w.n.services(ctx, pod)
	if err != nil {
		w.n.log.Warn("cannot list services", "namespace", pod.Namespace, "err", err)
		return nil, nil, &failure{reason: "CreateContainerConfigError", message: "services have not yet been read at least once, cannot construct envvars"}
	}
	environment, err := env.Build(ctx, pod, spec, w.self(pod), services, w.n.sources())
	if err != nil {
		return nil, nil, &failure{reason: "CreateContainerConfigError", message: err.Error()}
	}
	mounts, err := w.n.disk.Mounts(pod, spec, environment.SubPath)
	if err != nil {
		return nil, nil, &failure{reason: "CreateContainerConfigError", message: err.Error()}
	}
	return environment, mounts, nil
}

// begin hands a process to the Runtime and waits for its end.
func (w *worker) begin(ctx context.Context, p Process, c *container, environment env.Env, restarts int32) *failure {
	dir, err := w.n.disk.Container(p.Pod.UID, p.Container.Name)
	if err != nil {
		return &failure{reason: "CreateContainerError", message: err.Error()}
	}
	log, err := openLog(dir, restarts, w.n.now)
	if err != nil {
		return &failure{reason: "CreateContainerError", message: errors.Join(err, dir.Close()).Error()}
	}
	stdout, stderr := log.stream("stdout"), log.stream("stderr")
	run := &process{id: p.ID, stop: make(chan struct{})}
	p.Args = environment.Args(slices.Concat(p.Container.Command, p.Container.Args))
	p.Env = environment.List()
	p.Rootfs = w.n.disk.RootfsPath(p.Pod.UID, p.Container.Name)
	p.Stdout, p.Stderr = stdout, stderr
	p.Stop = run.stop
	alive, kill := context.WithCancel(ctx)
	run.kill = kill
	ends, err := w.n.config.Runtime.Start(alive, p)
	if err != nil {
		kill()
		return &failure{reason: "RunContainerError", message: errors.Join(err, log.close()).Error()}
	}
	c.process = run
	w.n.processes.add(p)
	name := p.Container.Name
	w.processes.Go(func() {
		exit := <-ends
		w.n.processes.remove(p)
		stdout.flush()
		stderr.flush()
		if err := log.close(); err != nil {
			w.n.log.Warn("cannot close a container's log", "container", name, "err", err)
		}
		select {
		case w.exits <- exited{container: name, id: run.id, exit: exit}:
		case <-ctx.Done():
		}
	})
	return nil
}

// services are the variables of the services that a pod may see: its namespace's, unless it does not want them, and
// the API server's in any case.
func (n *node) services(ctx context.Context, pod *corev1.Pod) (env.Env, error) {
	var seen []corev1.Service
	if pod.Spec.EnableServiceLinks == nil || *pod.Spec.EnableServiceLinks {
		list, err := n.client.CoreV1().Services(pod.Namespace).List(ctx, metav1.ListOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, err
		}
		if err == nil {
			seen = list.Items
		}
	}
	master, err := n.client.CoreV1().Services(metav1.NamespaceDefault).Get(ctx, "kubernetes", metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, err
	}
	if err == nil && !slices.ContainsFunc(seen, func(s corev1.Service) bool { return s.Name == master.Name }) {
		seen = append(seen, *master)
	}
	return env.Services(seen), nil
}

func newContainerID() string {
	id := make([]byte, 32)
	rand.Read(id) // never fails
	return hex.EncodeToString(id)
}

// baseFiles are what a kubelet and a container runtime put into every root directory.
func baseFiles(pod *corev1.Pod, ip string) volume.Files {
	hostname := pod.Spec.Hostname
	if hostname == "" {
		hostname = pod.Name
	}
	hostname = strings.TrimRight(hostname[:min(len(hostname), 63)], "-.")
	names := hostname
	if pod.Spec.Subdomain != "" {
		names = hostname + "." + pod.Spec.Subdomain + "." + pod.Namespace + ".svc.cluster.local\t" + hostname
	}
	hosts := "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n" +
		"fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n" +
		ip + "\t" + names + "\n"
	if len(pod.Spec.HostAliases) > 0 {
		hosts += "\n# Entries added by HostAliases.\n"
		for _, alias := range pod.Spec.HostAliases {
			hosts += alias.IP + "\t" + strings.Join(alias.Hostnames, "\t") + "\n"
		}
	}
	resolv := "search " + pod.Namespace + ".svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n"
	return volume.Files{
		"/etc/hostname":    {Data: []byte(hostname + "\n"), Mode: 0o644},
		"/etc/hosts":       {Data: []byte(hosts), Mode: 0o644},
		"/etc/resolv.conf": {Data: []byte(resolv), Mode: 0o644},
	}
}
