package catalog

import "slices"

// Builtin are the rows of all kinds that the server has from the start, in the order of discovery.
func Builtin() []*Kind {
	return slices.Concat(coreKinds(), groupKinds())
}
