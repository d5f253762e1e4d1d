package typedjson

// named is a field that JSON names.
type named struct {
	name   string
	offset uintptr // in the memory of the struct, through embedded ones
	plan   *plan
}

// names finds fields by their names. Its table is made without collisions, so that a look is one hash and one comparison.
type names struct {
	all   []named
	table []uint8 // one more than the index in all
	by    uint32  // what hashes are multiplied with
}

// maxNames is how many fields a set of those that have been seen has room for.
const maxNames = 128

// newNames returns nil where fields share a name, are too many, or find no table.
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
	const largest, tries = 1 << 13, 100
	n := &names{all: all}
	for size := 4; size <= largest; size *= 2 {
		if size < 2*len(all) {
			continue
		}
		n.table = make([]uint8, size)
		for n.by = 1; n.by < 2*tries; n.by += 2 {
			if n.fill() {
				return n
			}
		}
	}
	return nil
}

func (n *names) fill() bool {
	clear(n.table)
	for i := range n.all {
		at := &n.table[n.hash([]byte(n.all[i].name))]
		if *at != 0 {
			return false
		}
		*at = uint8(i + 1)
	}
	return true
}

// hash looks at five letters at most, by which the names of all types differ.
func (n *names) hash(name []byte) uint32 {
	last := len(name) - 1
	if last < 0 {
		return 0
	}
	h := uint32(len(name))
	h = h*n.by + uint32(name[0])
	h = h*n.by + uint32(name[min(2, last)])
	h = h*n.by + uint32(name[last/2])
	h = h*n.by + uint32(name[last*2/3])
	h = h*n.by + uint32(name[last])
	return (h ^ h>>16 ^ h>>8) & uint32(len(n.table)-1)
}

// find returns the index of a field in all, or -1.
func (n *names) find(name []byte) int {
	if i := int(n.table[n.hash(name)]) - 1; i >= 0 && n.all[i].name == string(name) {
		return i
	}
	return -1
}
