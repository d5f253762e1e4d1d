// Package typedjson writes and reads JSON of Go types as encoding/json and sigs.k8s.io/json do, in a fraction of the time. What it
// writes is byte for byte what json.Marshal writes. What it reads is what is common and well-formed: of all else it says that it
// has not understood it, for the library to read it, so that what is wrong is worded in one place.
//
// Each type has a plan, made once by reflection. Start reading at plan.go. Why there is a codec of our own is told in
// docs/adr/0010-own-json.md.
package typedjson

import "sync"

// Codec writes and reads. The zero value is ready, and may be used by many at once.
type Codec struct {
	plans    plans
	encoders sync.Pool // of *encoder
}
