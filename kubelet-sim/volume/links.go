package volume

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// Link makes the readable way into a container: pods/<namespace>/<name>/<container>, a link to its root
// directory, whichever node it is on.
func (d *Disk) Link(namespace, name string, uid types.UID, container string) error {
	if err := errors.Join(segment(namespace), segment(name), segment(string(uid)), segment(container)); err != nil {
		return err
	}
	dir := path.Join("pods", namespace, name)
	target := path.Join("../../..", "nodes", d.node, rootfsDir(uid, container))
	link := path.Join(dir, container)
	var err error
	// Another node may be removing the namespace's directory, empty so far, at this moment.
	for range 10 {
		if err = d.base.MkdirAll(dir, 0o700); err == nil {
			if old, e := d.base.Readlink(link); e == nil && old == target {
				return nil
			}
			if err = d.base.RemoveAll(link); err == nil {
				err = d.base.Symlink(target, link)
			}
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return err
}

// Unlink removes the links of a pod, and only those: a newer pod of the same name keeps its own.
func (d *Disk) Unlink(namespace, name string, uid types.UID) error {
	if err := errors.Join(segment(namespace), segment(name), segment(string(uid))); err != nil {
		return err
	}
	return d.unlink(path.Join("pods", namespace, name), func(owner types.UID) bool { return owner == uid })
}

// UnlinkOthers removes the links into this node's directory that belong to no pod of the given.
func (d *Disk) UnlinkOthers(pods []types.UID) error {
	gone := func(owner types.UID) bool { return !slices.Contains(pods, owner) }
	names, err := fs.Glob(d.base.FS(), "pods/*/*")
	for _, name := range names {
		err = errors.Join(err, d.unlink(name, gone))
	}
	return err
}

func (d *Disk) unlink(dir string, gone func(types.UID) bool) error {
	links, err := fs.ReadDir(d.base.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, link := range links {
		name := path.Join(dir, link.Name())
		target, e := d.base.Readlink(name)
		if e != nil {
			continue // nothing that Link made
		}
		rest, ok := strings.CutPrefix(target, path.Join("../../..", "nodes", d.node, "pods")+"/")
		owner, _, _ := strings.Cut(rest, "/")
		if ok && gone(types.UID(owner)) {
			if e := d.base.Remove(name); e != nil && !errors.Is(e, fs.ErrNotExist) {
				err = errors.Join(err, e)
			}
		}
	}
	// The directories go when they are empty, which is what these calls find out.
	if d.base.Remove(dir) == nil {
		_ = d.base.Remove(path.Dir(dir))
	}
	return err
}
