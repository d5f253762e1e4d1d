package volume

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// Disk is one node's directory. All methods stay inside it whatever they are given.
// It may be used by several goroutines as long as each works on its own pod.
type Disk struct {
	base *os.Root // the data directory
	root *os.Root // the node's directory in it
	node string
	path string // of root, absolute
}

// OpenDisk opens, or makes, the directory of a node below dir: nodes/<node>. What is made is the owner's alone.
func OpenDisk(dir, node string) (*Disk, error) {
	if err := segment(node); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	base, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	name := path.Join("nodes", node)
	for _, made := range []string{"pods", path.Join(name, "pods"), path.Join(name, "rootfs")} {
		if err := base.MkdirAll(made, 0o700); err != nil {
			return nil, errors.Join(err, base.Close())
		}
	}
	root, err := base.OpenRoot(name)
	if err != nil {
		return nil, errors.Join(err, base.Close())
	}
	return &Disk{base: base, root: root, node: node, path: filepath.Join(dir, name)}, nil
}

// Close gives up the directory; nothing is removed.
func (d *Disk) Close() error { return errors.Join(d.root.Close(), d.base.Close()) }

// Path is the absolute path of the node's directory.
func (d *Disk) Path() string { return d.path }

// Pods are the pods that have a directory.
func (d *Disk) Pods() ([]types.UID, error) {
	entries, err := fs.ReadDir(d.root.FS(), "pods")
	if err != nil {
		return nil, err
	}
	uids := make([]types.UID, 0, len(entries))
	for _, entry := range entries {
		uids = append(uids, types.UID(entry.Name()))
	}
	return uids, nil
}

// Remove removes all that belongs to a pod.
func (d *Disk) Remove(uid types.UID) error {
	if err := segment(string(uid)); err != nil {
		return err
	}
	return d.root.RemoveAll(podDir(uid))
}

// Unmount removes a pod's volumes and its containers' root directories. What containers wrote to their logs stays.
func (d *Disk) Unmount(uid types.UID) error {
	if err := segment(string(uid)); err != nil {
		return err
	}
	if err := d.root.RemoveAll(path.Join(podDir(uid), "volumes")); err != nil {
		return err
	}
	containers, err := fs.ReadDir(d.root.FS(), path.Join(podDir(uid), "containers"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, container := range containers {
		err = errors.Join(err, d.root.RemoveAll(path.Join(podDir(uid), "containers", container.Name(), "rootfs")))
	}
	return err
}

// Container opens the directory of a container, where its rootfs and logs are, and makes it where it is missing.
// The caller closes it.
func (d *Disk) Container(uid types.UID, name string) (*os.Root, error) {
	if err := errors.Join(segment(string(uid)), segment(name)); err != nil {
		return nil, err
	}
	dir := containerDir(uid, name)
	if err := d.root.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return d.root.OpenRoot(dir)
}

// RootfsPath is the absolute path of a container's root directory, of a pod and container that Container accepted.
func (d *Disk) RootfsPath(uid types.UID, name string) string {
	return filepath.Join(d.path, rootfsDir(uid, name))
}

func podDir(uid types.UID) string { return path.Join("pods", string(uid)) }

func containerDir(uid types.UID, name string) string {
	return path.Join(podDir(uid), "containers", name)
}

func rootfsDir(uid types.UID, name string) string {
	return path.Join(containerDir(uid, name), "rootfs")
}

// segment accepts what is one element of a path and nothing else. The API's own validation of names is
// stricter; a kubelet does not stake other people's files on it.
func segment(name string) error {
	if name == "" || name == "." || name == ".." || len(name) > 255 || strings.ContainsAny(name, "/\\\x00") {
		return fmt.Errorf("%q cannot be the name of a directory", name)
	}
	return nil
}

// inside maps an absolute path of a simulated root directory to one relative to it, like chroot does:
// there is nothing above /.
func inside(name string) string {
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}
