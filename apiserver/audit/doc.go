// Package audit keeps the record of who did what that outlives the server: events of audit.k8s.io/v1, chosen by
// Kubernetes' own Policy file, in a log file and at a webhook.
//
// Nouns:
//
//   - Policy: which requests are written down, at which stages, and how much of them: nothing, Metadata, Request or
//     RequestResponse. Rules are tried in order; the first that fits decides. What is in Secrets, ConfigMaps and token reviews is
//     written only where a rule says Request or more for them.
//   - Log: the policy and where events go, made by Open. The stage `audit` of the server's pipeline asks the one and fills
//     the other.
//   - sink: the log file or the webhook, behind what truncates large events and what collects batches.
//
// The machinery (events, policy rules, batches, truncation) is Kubernetes' own: k8s.io/apiserver/pkg/audit and
// plugin/pkg/audit. Ours are the settings, the webhook and the stage.
//
// Start reading at Open, then ../audit.go.
//
// Source: https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/
//
// # Simplifications
//
//   - The webhook is spoken to in JSON.
//   - A client's Audit-ID of more than 64 bytes, or with other bytes than printable ASCII, is replaced; kube-apiserver takes any.
//   - Deprecated kinds get no annotations k8s.io/deprecated and k8s.io/removed-release; the client is warned.
//   - As upstream, a policy with a field that is unknown is taken without the field.
//   - Slow requests get no annotations apiserver.latency.k8s.io/*: the decision of the same id tells the time of each stage.
package audit
