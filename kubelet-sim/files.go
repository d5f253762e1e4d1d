package kubeletsim

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"coracle/kubelet-sim/shell"
)

// maxRead bounds what a command reads of one file, in bytes.
const maxRead = 16 << 20

// containerFiles are a container's files: its root directory, and the volumes in it. Neither is left, wherever symbolic links
// lead.
type containerFiles struct{ process Process }

// stat finds a file, and tells what it is. The caller closes the root.
func (f containerFiles) stat(name string) (root *os.Root, rel string, info fs.FileInfo, err error) {
	if root, rel, _, err = f.open(name); err != nil {
		return nil, "", nil, err
	}
	if info, err = root.Stat(rel); err != nil {
		root.Close()
		return nil, "", nil, err
	}
	return root, rel, info, nil
}

// open finds the directory tree that a path is in, and its name there.
func (f containerFiles) open(name string) (root *os.Root, rel string, readOnly bool, err error) {
	for _, mount := range slices.Backward(f.process.Mounts) { // inner ones first
		rest, ok := strings.CutPrefix(name+"/", mount.Path+"/")
		if !ok {
			continue
		}
		if root, err = mount.Open(); err != nil {
			return nil, "", false, err
		}
		rel = path.Join(".", mount.SubPath, path.Clean("/"+rest))
		return root, rel, mount.ReadOnly, nil
	}
	root, err = os.OpenRoot(f.process.Rootfs)
	return root, path.Join(".", name), false, err
}

func (f containerFiles) Read(name string) ([]byte, error) {
	if name == "/dev/null" {
		return nil, nil
	}
	root, rel, info, err := f.stat(name)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if !info.Mode().IsRegular() {
		return nil, errors.New("Is a directory")
	}
	file, err := root.Open(rel)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxRead))
}

func (f containerFiles) Write(name string, data []byte, add bool) error {
	root, rel, readOnly, err := f.open(name)
	if err != nil {
		return err
	}
	defer root.Close()
	if readOnly || f.readOnlyRoot() && root.Name() == f.process.Rootfs {
		return errors.New("Read-only file system")
	}
	flag := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	if add {
		flag = os.O_CREATE | os.O_WRONLY | os.O_APPEND
	}
	file, err := root.OpenFile(rel, flag, 0o644)
	if err != nil {
		return err
	}
	if info, err := file.Stat(); err == nil && info.Size()+int64(len(data)) > maxRead {
		return errors.Join(errors.New("No space left on device"), file.Close())
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Close())
}

func (f containerFiles) readOnlyRoot() bool {
	security := f.process.Container.SecurityContext
	return security != nil && security.ReadOnlyRootFilesystem != nil && *security.ReadOnlyRootFilesystem
}

func (f containerFiles) List(name string) ([]shell.Entry, error) {
	root, rel, info, err := f.stat(name)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if !info.IsDir() {
		if link, err := root.Lstat(rel); err == nil {
			info = link
		}
		return []shell.Entry{entry(root, rel, name, info)}, nil
	}
	dir, err := root.Open(rel)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	infos, err := dir.Readdir(-1)
	if err != nil {
		return nil, err
	}
	entries := make([]shell.Entry, 0, len(infos))
	for _, info := range infos {
		e := entry(root, path.Join(rel, info.Name()), info.Name(), info)
		if f.isMount(path.Join(name, info.Name())) {
			// What leads to a volume is a directory in a container.
			e.Mode, e.Target, e.Size, e.Dir = "drwxrwxrwx", "", 0, true
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b shell.Entry) int { return strings.Compare(a.Name, b.Name) })
	return entries, nil
}

func (f containerFiles) isMount(name string) bool {
	for _, mount := range f.process.Mounts {
		if mount.Path == name {
			return true
		}
	}
	return false
}

func entry(root *os.Root, rel, name string, info fs.FileInfo) shell.Entry {
	e := shell.Entry{Name: name, Mode: info.Mode().String(), Size: info.Size(), Time: info.ModTime(), Dir: info.IsDir()}
	if info.Mode()&fs.ModeSymlink != 0 {
		if target, err := root.Readlink(rel); err == nil {
			e.Mode, e.Target = "l"+fmt.Sprint(fs.FileMode(0o777))[1:], target
		}
	}
	return e
}
