// Package apiserver answers the Kubernetes API.
//
// A request takes one way, in one direction, each stage a function with one job:
//
//	TLS -> request id, panic guard -> request info -> authenticate -> audit -> impersonate -> limit -> authorize
//	    -> decode (strict) -> admission: mutate -> default, validate -> admission: validate -> store -> encode or stream
//
// Every stage writes what it decided into the request's decision.Record.
//
// Start reading at pipeline.go (the stages), then routes.go (the paths), then resource.go (from a path to a verb),
// and one verb: create.go. Rows of the catalog say how kinds differ; the code here is the same for all.
//
// # Simplifications
//
//   - Priority and fairness (KEP-1040): its objects are kept, and queue nobody. Requests are bounded as they are where it is
//     switched off, by --max-requests-inflight and --max-mutating-requests-inflight.
//   - What a proxied pod or service answers in HTML is not rewritten; of a node, nothing but its own API is reached.
//   - Objects are no larger than etcd takes by default, 1.5 MiB; of those above 2 MiB the same is said, where kube-apiserver passes on
//     what its connection to etcd says.
//   - What would take far more than it is sent in is refused, where upstream works on it however long it takes: docs/attacks.md has the
//     bounds, under "Input that grows".
package apiserver
