package apiserver

// depth is how much of a stack a request needs, in bytes, about: what makes a stack of 16 KiB of one of 8.
const depth = 7 << 10

// makeRoom has the goroutine of a request begin with a stack of the size that it ends with. Each request has a goroutine of its own;
// its stack would begin with some KiB and double on the way down to the store, or to the connection, and whatever is on it then be
// copied. Here nothing is on it yet. Of what a watch does not need for long, collections of garbage take half away.
//
// The room is never used, nor cleared: which is why it stands where nobody comes.
//
//go:noinline
func makeRoom(length int) byte {
	if length < 0 {
		var room [depth]byte
		return room[-length]
	}
	return 0
}
