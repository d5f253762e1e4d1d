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

// Rootfs makes a container's root directory anew: the given files first (paths as in the container), then the
// mounts over them, each a symbolic link relative to where it is, so that the data directory can be moved.
func (d *Disk) Rootfs(uid types.UID, container string, files Files, mounts []Mount) error {
	if err := errors.Join(segment(string(uid)), segment(container)); err != nil {
		return err
	}
	dir := rootfsDir(uid, container)
	if err := d.root.RemoveAll(dir); err != nil {
		return err
	}
	if err := d.root.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	root, err := d.root.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for name, file := range files {
		name = inside(name)
		if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
			return err
		}
		if err := root.WriteFile(name, file.Data, file.Mode.Perm()); err != nil {
			return err
		}
	}
	for i, mount := range mounts {
		if outer, ok := outermost(mounts[:i], mount.Path); ok {
			err = d.mountInside(outer, mount)
		} else {
			err = place(root, dir, inside(mount.Path), mount, true)
		}
		if err != nil {
			return fmt.Errorf("mount at %s: %w", mount.Path, err)
		}
	}
	return nil
}

// HasRootfs tells whether a container has a root directory.
func (d *Disk) HasRootfs(uid types.UID, container string) bool {
	if segment(string(uid)) != nil || segment(container) != nil {
		return false
	}
	info, err := d.root.Lstat(rootfsDir(uid, container))
	return err == nil && info.IsDir()
}

// outermost is the mount, of those made so far, that name lies inside of; of several, the deepest.
func outermost(made []Mount, name string) (outer Mount, ok bool) {
	for _, mount := range made {
		if strings.HasPrefix(name, mount.Path+"/") && len(mount.Path) > len(outer.Path) {
			outer, ok = mount, true
		}
	}
	return outer, ok
}

// mountInside makes a mount inside another one's volume, as a kubelet makes nested mount points there.
func (d *Disk) mountInside(outer, mount Mount) error {
	volume, err := outer.Open()
	if err != nil {
		return err
	}
	defer volume.Close()
	name := path.Join(outer.SubPath, strings.TrimPrefix(mount.Path, outer.Path+"/"))
	return place(volume, outer.dir, name, mount, false)
}

// place makes name, in root, a link to what mount shows. dir is root's own place in the node's directory.
// Of what is there already, a link is replaced, an empty directory too, and all else only if the root is fresh.
func place(root *os.Root, dir, name string, mount Mount, fresh bool) error {
	target, err := filepath.Rel(path.Join(dir, path.Dir(name)), mount.source())
	if err != nil {
		return err
	}
	if err := realParents(root, name); err != nil {
		return err
	}
	if old, err := root.Readlink(name); err == nil && old == target {
		return nil
	}
	remove := root.Remove
	if fresh {
		remove = root.RemoveAll
	}
	if err := remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return root.Symlink(target, name)
}

// realParents makes the directories above name, and refuses symbolic links among them: a relative link
// below one would not start where it seems to.
func realParents(root *os.Root, name string) error {
	parents := strings.Split(name, "/")
	for i := range parents[:len(parents)-1] {
		parent := path.Join(parents[:i+1]...)
		info, err := root.Lstat(parent)
		if errors.Is(err, fs.ErrNotExist) {
			err = root.Mkdir(parent, 0o755)
		} else if err == nil && !info.IsDir() {
			err = fmt.Errorf("%s is not a directory", parent)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
