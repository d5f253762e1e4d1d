// Package apiserver answers the Kubernetes API.
//
// A request takes one way, in one direction, each stage a function with one job:
//
//	TLS -> request id, limits, panic guard -> request info -> authenticate -> audit -> impersonate -> authorize
//	    -> decode (strict) -> admission: mutate -> default, validate -> admission: validate -> store -> encode or stream
//
// Every stage writes what it decided into the request's decision.Record.
//
// Start reading at pipeline.go (the stages), then routes.go (the paths), then resource.go (from a path to a verb),
// and one verb: create.go. Rows of the catalog say how kinds differ; the code here is the same for all.
package apiserver
