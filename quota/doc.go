// Package quota measures what objects take of a ResourceQuota. The admission plugin asks it before an object is
// written, the controller when it counts again; it knows neither.
//
// The nouns:
//
//   - usage: what one object takes, by the names that a quota uses: pods, requests.cpu, count/deployments.apps.
//   - scope: a quota may count only some pods, those that end by themselves or that have a priority, for instance.
//
// Start reading at Usage.
//
// Upstream: k8s.io/kubernetes/pkg/quota/v1/evaluator/core, k8s.io/apiserver/pkg/quota/v1.
//
// # Simplifications
//
//   - Resource claims and volume attributes classes take nothing but their count.
package quota
