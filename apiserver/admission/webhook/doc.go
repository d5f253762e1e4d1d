// Package webhook asks the admission webhooks that are configured: MutatingAdmissionWebhook and ValidatingAdmissionWebhook.
//
// The configurations are heard of from the watch cache, before their writer is told, so a webhook is in force for whoever
// has created it. While there is none a request costs one look at a pointer.
//
// Nouns: hooks (all webhooks of one kind of configuration, in order), hook (one, with what is made of it once), request (what
// webhooks are asked about, in the versions that they want), invocation (a hook that is to be asked, and in which version).
// Start reading at Mutating.Mutate.
//
// Sources: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/ and
// k8s.io/apiserver/pkg/admission/plugin/webhook, whose packages bring gRPC with them.
//
// Simplifications:
//   - what package callout leaves out: redirections, endless answers, proxies of the environment;
//   - of a patch that copies, as much is copied as a client's own JSON patch may; an object that comes out larger than an answer may be is refused;
//   - webhooks from files (staticManifestsDir) and credentials for webhooks (kubeConfigFile) are not configured;
//   - POST .../bindings, which nobody uses, is told of as pods/binding.
package webhook
