// Package looptest is a world for the tests of control loops: client-go's fake clientset with the manners of a real
// API server, informers, and a clock of its own, all inside one testing/synctest bubble. A test changes something,
// calls Settle, and looks: every event has been handled then, and no real time has passed.
//
// The nouns:
//
//   - World: the objects, the clients that see them, the informers, the controllers that run.
//   - tracker: what the fake lacks: UIDs, resource versions with conflicts, generations, status apart from spec,
//     preconditions, finalizers, foreground and orphaning deletion, no event where nothing changed.
//
// Start reading at Run.
//
// # Simplifications
//
//   - No validation, defaulting, admission, authorization. Field selectors are ignored by lists and watches.
//   - Pods are deleted at once; there is no grace period.
package looptest
