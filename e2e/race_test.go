//go:build race

package e2e

// race is whether the tests run under the race detector. The server then does as well.
const race = true
