// Package webhook asks the admission webhooks that are configured: MutatingAdmissionWebhook and ValidatingAdmissionWebhook.
//
// The configurations are heard of from the watch cache, before their writer is told, so a webhook is in force for whoever
// has created it. While there is none a request costs one look at a pointer.
//
// Nouns: hooks (all webhooks of one kind of configuration, in order), hook (one, with what is made of it once), invocation (a hook
// that is to be asked, and in which version); which requests a hook is about is package match's.
// Start reading at Mutating.Mutate.
//
// Sources: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/ and
// k8s.io/apiserver/pkg/admission/plugin/webhook, whose packages bring gRPC with them.
//
// Simplifications:
//   - what package callout leaves out: redirections, endless answers, proxies of the environment;
//   - a patch of more than 10,000 operations, and an object that comes out larger than an answer may be, are refused; of what
//     a patch copies no more is copied than of a client's own;
//   - a patch that makes another kind of an object is refused in other words, and so is a denial with a code that HTTP has
//     not, over which kube-apiserver breaks off the connection;
//   - webhooks from files (staticManifestsDir) and credentials for webhooks (kubeConfigFile) are not configured;
//   - POST .../bindings, which nobody uses, is told of as pods/binding.
package webhook
