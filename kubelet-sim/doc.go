// Package kubeletsim is one node: it registers itself, runs the pods that are bound to it, and puts
// their volumes on disk. There are no containers, but real files and real identities: a pod's directory
// holds the very token, certificate and namespace that a container would see, and the node speaks to the
// API server as system:node:NAME, with no more rights than a kubelet has.
//
// (The folder is kubelet-sim; import it by its package name.)
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
// node's pods name, each watched by its name), env (a container's environment), downward (what a pod may
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
package kubeletsim
