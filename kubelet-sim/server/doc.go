// Package server is a kubelet's own API: what the API server calls when somebody wants a log, a command run in a container or a port
// of a pod, and what `kubectl get --raw /api/v1/nodes/NODE/proxy/pods` shows.
//
// It is served with the node's kubelet-serving certificate. Whoever asks has to show a client certificate of the cluster's authority,
// or a token that the API server knows; what they may do the API server is asked, as for a subresource of the node (webhook mode,
// https://kubernetes.io/docs/reference/access-authn-authz/kubelet-authn-authz/).
//
// Nouns: Host (the node, as this package sees it), Streams (of a process).
//
// Start reading at Server.ServeHTTP.
//
// # Simplifications
//
//   - Of the endpoints there are healthz, pods, runningpods, containerLogs, exec, run, attach and portForward; and one that upstream
//     has not, dial, by which the API server reaches the addresses of pods, which no network has.
//   - What the API server answered about a token or a permission is not kept: each request asks anew.
package server
