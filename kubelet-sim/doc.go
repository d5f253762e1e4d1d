// Package kubeletsim is one node: it registers itself, runs the pods that are bound to it, and puts
// their volumes on disk. There are no containers, but real files and real identities: a pod's directory
// holds the very token, certificate and namespace that a container would see, and the node speaks to the
// API server as system:node:NAME, with no more rights than a kubelet has.
//
// (The folder is kubelet-sim; import it by its package name.)
//
// It refuses to know the rooms beside it: it reaches the API server through client-go alone, and never touches
// a file outside its data directory, whatever a pod asks for.
//
// # Nouns
//
//   - Kubelet: the node. New makes it, Run runs it until its context ends.
//   - worker: one pod, from the moment it is bound until its object is gone. One goroutine owns all of it.
//   - container: one container of a pod, over all its restarts.
//   - Runtime: what a container's process does. Simulated is the one that comes with the package.
//
// Its sub-packages are pure or small: volume (payloads, atomic writing, root directories, contained by
// os.Root), status (phase, conditions, quality of service), objects (the Secrets and ConfigMaps that this
// node's pods name, each watched by its name, and the cluster's trust bundles), podcertificate (keys and certificates for
// pods that ask for them), server (the kubelet's own API), shell (what can be run in a container), env (a container's environment), downward (what a pod may
// learn about itself).
//
// Start reading at Kubelet.Run, then worker.step.
//
// # Files
//
//	<dir>/nodes/<node>/rootfs/                                    what hostPath volumes see
//	<dir>/nodes/<node>/pods/<uid>/volumes/<plugin>/<volume>/      as a kubelet lays them out
//	<dir>/nodes/<node>/pods/<uid>/containers/<name>/rootfs/       the container's root directory
//	<dir>/nodes/<node>/pods/<uid>/containers/<name>/logs/0.log    its output, in the CRI log format
//	<dir>/pods/<namespace>/<name>/<container>                     a symbolic link to that rootfs
//
// All directories above a pod's own are 0700. A finished pod keeps its logs only; a deleted one keeps nothing.
//
// # Simplifications
//
// Each sub-package lists its own. Of the node (upstream: pkg/kubelet):
//
//   - Probes are not run: a container is started and ready while its process runs (prober).
//   - What exec runs is not the container's process, and does not see it; attach shows what the process writes, and only a container
//     whose command is a shell reads what is typed (server, shell).
//   - A port that a container declares answers HTTP with whom one has reached; all others refuse connections.
//   - Any image can be pulled, at once; what an image contains and would run is unknown (images).
//   - preStop hooks other than sleeping, and all postStart hooks, are done at once (lifecycle).
//   - A restart of the node finds its processes where they would be by now. What an exit code was in between is
//     not known: they go on, or run out their sleep.
//   - Pods are not turned away: capacity, maxPods, node affinity and taints are not looked at (lifecycle, allocation),
//     nothing is evicted (eviction), and resources are neither measured nor resized.
//   - Capacity is made up and the same for every node. The node is never under pressure.
//   - Services are read when a container starts, rather than watched.
//   - A changed Secret, ConfigMap, trust bundle or label reaches volumes at once, not within the minute that upstream takes.
//   - Static pods, mirror pods, image volumes, persistent volumes, CSI, devices and resource claims are not there.
//   - Once its Node is deleted the kubelet registers again only when it is restarted, which upstream is no different in.
package kubeletsim
