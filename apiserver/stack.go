package apiserver

import "net/http"

// writeDepth is how much of a stack a write needs, in bytes, about: the half of what it gets.
const writeDepth = 30 << 10

// makeRoom has the goroutine of a write begin with a stack of the size that it ends with. Each request has a goroutine of its own;
// its stack would begin with some KiB and double on the way down to the store, and whatever is on it be copied each time. What
// only reads does not come so deep, and a watch would keep what it does not need.
func makeRoom(r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	default:
		useStack(len(r.Method))
	}
}

// useStack has room on the stack that it never uses, nor clears: which is why it stands where nobody comes.
//
//go:noinline
func useStack(length int) byte {
	if length < 0 {
		var room [writeDepth]byte
		return room[-length]
	}
	return 0
}
