package typedjson

// named is a field that JSON names.
type named struct {
	name string
	path []int // the indices that lead to it, through embedded structs
	plan *plan
}

// names finds fields by their names. Its table is made without collisions, so that a look is one hash and one comparison.
type names struct {
	all   []named
	table []uint8 // one more than the index in all
	by    uint32  // what hashes are multiplied with
}

// maxNames is how many fields a set of those that have been seen has room for.
const maxNames = 128

// newNames returns nil where fields share a name, or are too many.
func newNames(all []named) *names {
	if len(all) > maxNames {
		return nil
	}
	seen := map[string]bool{}
	for _, n := range all {
		if seen[n.name] || n.name == "" {
			return nil
		}
		seen[n.name] = true
	}
	for size := 4; ; size *= 2 {
		if size < len(all) {
			continue
		}
		const tries = 1000
		for by := uint32(1); by < 2*tries; by += 2 {
			n := &names{all: all, table: make([]uint8, size), by: by}
			if n.fill() {
				return n
			}
		}
	}
}

func (n *names) fill() bool {
	for i := range n.all {
		at := &n.table[n.hash([]byte(n.all[i].name))]
		if *at != 0 {
			return false
		}
		*at = uint8(i + 1)
	}
	return true
}

func (n *names) hash(name []byte) uint32 {
	h := uint32(len(name))
	for _, c := range name {
		h = h*n.by + uint32(c)
	}
	return (h ^ h>>16 ^ h>>8) & uint32(len(n.table)-1)
}

// find returns the index of a field in all, or -1.
func (n *names) find(name []byte) int {
	if i := int(n.table[n.hash(name)]) - 1; i >= 0 && n.all[i].name == string(name) {
		return i
	}
	return -1
}
