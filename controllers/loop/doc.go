// Package loop is the machinery that every control loop shares: informers tell what changed, a queue
// remembers which keys to look at, workers bring one key at a time to the state it should have.
//
// It knows no kind and no verb. The nouns:
//
//   - Loop: a rate-limited queue of keys and the function that reconciles one of them.
//   - key: whatever identifies one piece of work; most often a namespace/name, as Named makes it.
//
// Start reading at Loop.Run.
//
// A reconcile function MUST be idempotent (the same key may come again at any time), MUST NOT change objects
// that came from an informer's cache, and SHOULD return errors rather than log them: the loop logs an error
// once and tries the key again, later each time.
//
// # Simplifications
//
//   - Keys are retried for ever, at most half a minute apart; upstream's loops have limits of their own each.
//   - No metrics of queue depth and latency (k8s.io/component-base/metrics/prometheus/workqueue).
package loop
