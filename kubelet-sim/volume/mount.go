package volume

// Mount is one place in a container's root directory where a volume shows.
type Mount struct {
	// Path in the container, absolute and clean.
	Path string
	// Dir is the absolute path of the volume's directory, SubPath what is shown of it ("" for all).
	// Open Dir with os.OpenRoot first and SubPath inside it: SubPath is the container's to change.
	Dir, SubPath string
	ReadOnly     bool
}
